"""Every file comes back once, good or in quarantine; a killed run continues where it was."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from support import KILL_9, SHARED, as_attendee, refusal, run_until
from workshop import samples
from workshop.runner import Run, run_script
from workshop.samples.pictures import image

BASELINE, RAY, PITFALL = (f"ray_data/04_dirty_{kind}.py" for kind in ("baseline", "ray", "pitfall"))
DIRTY = samples.FOLDER / "dirty"
ALL = 240


def catalogue() -> dict[str, str]:
    """The kind of every file."""
    rows = pq.read_table(f"{DIRTY}.parquet").to_pylist()
    return {row["file"]: row["kind"] for row in rows}


def written(folder: Path, twin: str = "ray") -> list[dict]:
    return pq.read_table(folder / f"04_dirty_{twin}").to_pylist()


def bad_files() -> list[str]:
    return sorted(file for file, kind in catalogue().items() if kind in samples.BAD)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory) -> tuple[Run, Path]:
    """The baseline's run over all files, and the folder that it wrote to."""
    return with_all(BASELINE, tmp_path_factory.mktemp("all"))


def with_all(script: str, folder: Path) -> tuple[Run, Path]:
    flags = ("--images", str(ALL), "--output", str(folder), "--fail-on-bad")
    return run_script(script, *flags, env=SHARED.env(), timeout=150), folder


@pytest.mark.parametrize("twin", ["baseline", "ray"])
def test_every_file_once(twin, by_hand, tmp_path) -> None:
    done, folder = by_hand if twin == "baseline" else with_all(RAY, tmp_path)
    assert done.exit_code == 3, "the exit code tells of the quarantine"
    assert done.answer and done.items == ALL
    rows = written(folder, twin)
    assert sorted(row["file"] for row in rows) == sorted(catalogue())
    quarantined = [row for row in rows if row["state"] == "quarantine"]
    assert sorted(row["file"] for row in quarantined) == bad_files()
    for row in rows:
        assert bool(row["reason"]) == (row["state"] == "quarantine") == (not row["pixels"])
    reasons = {}
    for row in quarantined:
        reasons.setdefault(catalogue()[row["file"]], set()).add(row["reason"])
    assert reasons == {
        "truncated": {"not decoded (OSError)"},
        "empty": {"not decoded (UnidentifiedImageError)"},
        "text": {"not decoded (UnidentifiedImageError)"},
        "link": {"not opened (FileNotFoundError)"},
        "folder": {"not opened (OSError)"},
    }


def test_unusual_files_keep_their_colours(by_hand, tmp_path) -> None:
    for label in samples.LABELS:
        (tmp_path / label).mkdir()
    seen = set()
    for row in written(by_hand[1], "baseline"):
        kind = catalogue()[row["file"]]
        if kind in samples.ODD and kind not in seen:
            number = int(Path(row["file"]).stem) + (kind == "same name")
            plain = image(tmp_path, samples.SMALL, 42, number)["file"]
            with Image.open(tmp_path / plain) as picture:
                grey = picture.convert("L") if kind == "16 bits" else picture
                right = np.asarray(grey.convert("RGB").resize((64, 64)), int)
            found = np.frombuffer(row["pixels"], np.uint8).reshape(64, 64, 3)
            assert np.abs(found - right).mean() < 5, f"{kind}: {row['file']}"
            seen.add(kind)
    assert seen == set(samples.ODD)


def test_the_same_name_in_two_folders() -> None:
    names = [Path(file).name for file in catalogue()]
    assert len(names) - len(set(names)) >= 3


def test_killed_and_started_again(call, by_hand, tmp_path) -> None:
    flags = ["--images", str(ALL), "--output", str(tmp_path)]

    def four_files_are_complete(_: int) -> bool:
        done = (tmp_path / "04_dirty_ray_unfinished").glob("*/*.parquet")
        return sum(not path.name.endswith(".pending.parquet") for path in done) >= 4

    for _ in range(3):
        killed = run_until(four_files_are_complete, RAY, *flags)
        if killed.exit_code == KILL_9 and any(tmp_path.glob("*_unfinished/*/*.parquet")):
            break
    else:
        pytest.fail("the run was never killed in its middle")

    again = call(RAY, images=ALL, output=str(tmp_path)).figures
    assert 0 < again["done_now"] <= ALL - 20, "what was written before was done again"
    rows = written(tmp_path)
    assert sorted(row["file"] for row in rows) == sorted(catalogue())
    assert len({row["run"] for row in rows}) == 2
    assert again["bad"] == len(bad_files()) and again["good"] == ALL - again["bad"]
    assert str(again["answer"]) == by_hand[0].answer
    assert not any(tmp_path.glob("*_unfinished/*")), "nothing is unfinished any more"


def test_other_flags_start_anew(call, tmp_path) -> None:
    """What another run left unfinished is neither continued nor counted."""
    stale = tmp_path / "04_dirty_ray_unfinished" / "1" / "left.parquet"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"half a file")
    first = call(RAY, images=30, output=str(tmp_path)).figures
    second = call(RAY, images=20, seed=7, output=str(tmp_path)).figures
    assert (first["done_now"], second["done_now"]) == (30, 20)
    assert len(written(tmp_path)) == 20 and not stale.exists()


def test_the_loop_without_try_writes_nothing(run, tmp_path) -> None:
    strict = run(BASELINE, "--strict", "--output", str(tmp_path))
    assert strict.exit_code == 1
    assert "the run ends, nothing is written" in strict.stderr
    assert "Traceback" not in strict.stderr and not list(tmp_path.iterdir())


def test_the_pitfall_loses_good_files_silently() -> None:
    pitfall, right = as_attendee(PITFALL).run, as_attendee(BASELINE).run
    assert pitfall.ok and right.ok, pitfall.error + right.error
    good, bad = re.search(r"(\d+) good and (\d+) in quarantine", right.stdout).groups()
    assert int(good) + int(bad) == right.items == pitfall.items
    assert int(pitfall.answer) < 0.9 * int(good)
    found = int(re.search(r"in the catalogue, (\d+) found", pitfall.stdout)[1])
    assert found < pitfall.items, "links and folders are not even listed"


@pytest.mark.parametrize("flags", [["--input", "nowhere"], ["--images", "100000"]])
@pytest.mark.parametrize("script", [BASELINE, RAY, PITFALL])
def test_no_such_files_is_one_sentence(script, flags) -> None:
    assert "make samples" in refusal(script, *flags)
