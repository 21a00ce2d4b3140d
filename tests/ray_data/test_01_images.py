"""A plan that nothing ran yet, the pixels of every image, and no file of another run counted."""

import random
import runpy
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import ray

from support import here, refusal
from workshop.lessons import ROOT

BASELINE, RAY = "ray_data/01_images_baseline.py", "ray_data/01_images_ray.py"
SAMPLES = ROOT / "out/samples/images"
both = pytest.mark.parametrize("script", [BASELINE, RAY])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty images in a folder whose name needs quoting in a URI."""
    folder = tmp_path / "my phötos"
    folder.mkdir()
    for path in sorted(SAMPLES.rglob("*.jpg"))[::15]:
        shutil.copy(path, folder)
    assert len(list(folder.iterdir())) == 20
    return folder


def rows(folder: Path) -> dict[str, np.ndarray]:
    """The images in a folder's Parquet files by file name."""
    table = pq.read_table(folder)
    found = {
        Path(row["path"]).name: np.frombuffer(row["pixels"], np.uint8).reshape(
            row["height"], row["width"], 3
        )
        for row in table.to_pylist()
    }
    assert len(found) == len(table), "a row twice"
    return found


def test_every_pixel_is_inverted(run, photos, tmp_path) -> None:
    answers = []
    for name, script in (("loop", BASELINE), ("ray", RAY)):
        out = tmp_path / name
        result = run(script, "--images", "20", "--input", str(photos), "--output", str(out))
        assert result.ok, result.error
        answers.append(result.answer)
        written = rows(out)
        assert written.keys() == {path.name for path in photos.iterdir()}
        for path in photos.iterdir():
            assert (written[path.name] == 255 - np.asarray(Image.open(path).convert("RGB"))).all()
    assert answers[0] == answers[1]
    assert "Operator 1 ReadImage->Map(invert)->Write" in result.stdout, "not fused into one"
    assert "Operator 2" not in result.stdout


def test_nothing_runs_before_the_write(run, photos, tmp_path) -> None:
    """One file is no image at all, and the plan does not mind."""
    (photos / "notes.jpg").write_text("not a photograph")
    result = run(RAY, "--images", "21", "--input", str(photos), "--output", str(tmp_path / "out"))
    assert result.exit_code != 0
    plan, told, rest = result.stdout.partition("has run so far: nothing\n")
    assert "Map(invert)" in plan and told
    assert "images in" not in rest
    assert "notes.jpg" in result.stderr


def test_the_digest_knows_pixels_and_no_order(tmp_path) -> None:
    script = runpy.run_path(BASELINE)
    photo = np.asarray(Image.open(next(SAMPLES.rglob("*.jpg"))))
    crops = [photo[:size, :100].copy() for size in (40, 50, 60, 70)]

    def digest(name: str, images: list[np.ndarray], files: int) -> tuple[int, int]:
        folder = tmp_path / name
        folder.mkdir()
        made = [script["invert"](dict(path="x", image=image)) for image in images]
        for number in range(files):
            table = pa.Table.from_pylist(made[number::files], script["SCHEMA"])
            pq.write_table(table, folder / f"{number}.parquet")
        return script["digest"](pa.fs.LocalFileSystem(), str(folder))

    first = digest("first", crops, files=1)
    assert first[0] == 4
    assert digest("shuffled", random.Random(1).sample(crops, 4), files=3) == first
    assert digest("less", crops[:3], files=1) != first
    changed = [crops[0], crops[1].reshape(100, 50, 3), *crops[2:]]
    assert digest("another shape", changed, files=1) != first
    crops[2][5, 5, 1] ^= 1
    assert digest("one bit", crops, files=1) != first


@both
def test_a_rerun_replaces(run, tmp_path, script) -> None:
    """Also what a run left that was killed while it wrote."""
    out = tmp_path / "out"
    more = here(BASELINE, images=12, output=str(out))
    (out / "inverted-truncated.parquet").write_bytes(b"PAR1 and no end")
    less = run(script, "--images", "5", "--output", str(out))
    assert more["items"] == 12 and less.items == 5, less.error
    assert len(rows(out)) == 5
    assert less.answer != str(more["answer"])


@both
def test_refusals(tmp_path, script) -> None:
    full = tmp_path / "mine"
    full.mkdir()
    for name in ("thesis.parquet", "inverted-cat.png"):
        (full / name).write_text("precious")
    refused = {
        "make samples": ["--input", str(tmp_path / "nowhere")],
        "1 to 300": ["--images", "301"],
        "a folder of its own": ["--output", str(full)],
        "thesis.parquet": ["--output", str(full / "thesis.parquet")],
    }
    for words, flags in refused.items():
        sentence = refusal(script, *flags)
        assert words in sentence.replace(" ", "") or words in sentence
    assert {path.read_text() for path in full.iterdir()} == {"precious"}


def test_a_row_cannot_be_changed_in_place(shared_ray) -> None:
    """What a task is given lies in shared memory: other tasks may be reading it."""

    def invert_in_place(row: dict) -> dict:
        image = row["image"]
        np.subtract(255, image, out=image)
        return row

    paths = [str(path) for path in sorted(SAMPLES.rglob("*.jpg"))[:2]]
    ds = ray.data.read_images(paths, mode="RGB").map(invert_in_place)
    with pytest.raises(Exception, match="read-only"):
        ds.take_all()


def test_blocks_are_read_by_several_tasks(shared_ray) -> None:
    paths = [str(path) for path in sorted(SAMPLES.rglob("*.jpg"))[:40]]
    ds = ray.data.read_images(paths, mode="RGB").materialize()
    assert ds.num_blocks() > 1
    sizes = {row["image"].shape for row in ds.take(8)}
    assert len(sizes) > 1, "the samples are of several sizes, and no row was resized"
