"""The same photographs in the same order whoever decodes them, and who waits for them."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from support import SHARED, Call, call_main
from workshop.lessons import ROOT

BASELINE, RAY = "ray_train/09_data_ingest_baseline.py", "ray_train/09_data_ingest_ray.py"
FOLDER = Path("out/ray_train/09_data_ingest")
STEPS, SEED = 6, 3
WAYS = {
    "in the process": (BASELINE, {}),
    "two loaders": (BASELINE, {"loaders": 2}),
    "ray": (RAY, {}),
    "two workers": (BASELINE, {"workers": 2}),
    "ray, two workers": (RAY, {"workers": 2}),
}
DONE: dict[str, Call] = {}


@pytest.fixture
def way(request) -> Call:
    """One of WAYS, run once."""
    if request.param not in DONE:
        script, flags = WAYS[request.param]
        arguments = {"steps": STEPS, "seed": SEED} | flags
        DONE[request.param] = call_main(script, arguments, SHARED.env())
    return DONE[request.param]


def of(name: str):
    return pytest.mark.parametrize("way", [name], indirect=True)


every_way = pytest.mark.parametrize("way", WAYS, indirect=True)


@every_way
def test_a_step_waits_and_then_learns(way) -> None:
    spans = way.figures["spans"]
    assert len(spans) == len(way.figures["losses"]) == STEPS
    moments = [moment for span in spans for moment in span]
    assert moments == sorted(moments)
    waited = sum(there - asked for asked, there, _ in spans[1:])
    assert way.figures["waited"] == pytest.approx(waited)
    assert way.figures["seconds"] == pytest.approx(spans[-1][2] - spans[0][2])


@pytest.mark.parametrize("way", ["two loaders", "ray"], indirect=True)
def test_every_loss_is_the_same_whoever_decodes(way) -> None:
    assert way.figures["losses"] == DONE["in the process"].figures["losses"]


@of("ray, two workers")
def test_with_two_workers_each_gets_every_second_batch(way) -> None:
    """And this in the order in which torch's DataLoader deals them out."""
    assert way.figures["losses"] == DONE["two workers"].figures["losses"]
    assert way.figures["losses"] != DONE["ray"].figures["losses"]


@of("in the process")
def test_who_decodes_cannot_learn(way) -> None:
    """Every step waits: what it needs is decoded only when it asks."""
    spans = way.figures["spans"]
    assert min(there - asked for asked, there, _ in spans) > 0.02


def test_the_pictures_are_pictures() -> None:
    names = sorted(path.name for path in FOLDER.glob("*.png"))
    assert {"DataLoader(0).png", "DataLoader(2).png", "Ray Data.png"} <= set(names)
    for name in names:
        assert (FOLDER / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("script", [BASELINE, RAY])
def test_augmentation_is_drawn_by_its_seed(script, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    lesson = runpy.run_path(str(ROOT / script))
    rows = lesson["plan"](STEPS, SEED)
    assert len(rows) == STEPS * 16 and all(Path(row["path"]).is_absolute() for row in rows)
    once, again = (lesson["augment"](**rows[0]) for _ in range(2))
    other = lesson["augment"](rows[0]["path"], rows[0]["seed"] + 1)
    assert once.shape == (3, 64, 64) and np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_without_photographs_it_says_what_to_do(run, tmp_path) -> None:
    for script in (BASELINE, RAY):
        refused = run(ROOT / script, cwd=tmp_path)
        assert refused.exit_code == 2
        assert "make samples" in refused.stderr and "Traceback" not in refused.stderr
