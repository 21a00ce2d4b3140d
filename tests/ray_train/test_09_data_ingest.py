"""The same photographs in the same order whoever decodes them, and who waits for them."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import typer

from support import SHARED, Call, call_main
from workshop.lessons import ROOT

BASELINE, RAY = "ray_train/09_data_ingest_baseline.py", "ray_train/09_data_ingest_ray.py"
FOLDER = Path("out/ray_train/09_data_ingest")
STEPS, SEED, PHOTOS = 5, 3, 16
WAYS = {
    "DataLoader(0)": (BASELINE, {"loaders": 0}),
    "DataLoader(1)": (BASELINE, {"loaders": 1}),
    "Ray Data": (RAY, {}),
}


@pytest.fixture(scope="module")
def done() -> dict[str, Call]:
    """Each of WAYS in two workers, which share the photographs of a step."""
    for picture in FOLDER.glob("*.png"):
        picture.unlink()
    work = {"steps": STEPS, "workers": 2, "seed": SEED}
    return {
        name: call_main(script, work | flags, SHARED.env())
        for name, (script, flags) in WAYS.items()
    }


every_way = pytest.mark.parametrize("way", WAYS)
scripts = pytest.mark.parametrize("script", [BASELINE, RAY])


@pytest.mark.thorough
@every_way
def test_a_step_waits_and_then_learns(way, done) -> None:
    figures = done[way].figures
    spans = figures["spans"]
    assert len(spans) == len(figures["losses"]) == figures["items"] + 1 == STEPS
    moments = [moment for span in spans for moment in span]
    assert moments == sorted(moments)
    waited = sum(there - asked for asked, there, _ in spans[1:])
    assert figures["waited"] == pytest.approx(waited)
    assert figures["seconds"] == pytest.approx(spans[-1][2] - spans[0][2])


@pytest.mark.thorough
@pytest.mark.parametrize("way", ["DataLoader(1)", "Ray Data"])
def test_every_loss_is_the_same_whoever_decodes(way, done) -> None:
    """So a worker gets the same photographs in the same order; here those of rank 0."""
    assert done[way].figures["losses"] == done["DataLoader(0)"].figures["losses"]
    assert done[way].figures["answer"] == done["DataLoader(0)"].figures["answer"]


@pytest.mark.thorough
def test_who_decodes_cannot_learn(done) -> None:
    """Without loaders every step waits: what it needs is decoded only when it asks."""
    spans = done["DataLoader(0)"].figures["spans"]
    assert min(there - asked for asked, there, _ in spans) > 0.02


@pytest.mark.thorough
@every_way
def test_a_picture_of_who_waited(way, done) -> None:
    assert (FOLDER / f"{way}.png").read_bytes().startswith(b"\x89PNG")


@scripts
def test_a_photograph_is_augmented_by_its_seed_alone(script, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    lesson = runpy.run_path(script)
    rows = lesson["plan"](STEPS, SEED)
    assert len(rows) == STEPS * PHOTOS and all(Path(row["path"]).is_absolute() for row in rows)
    assert len({row["seed"] for row in rows}) == len(rows)
    once, again = (lesson["augment"](**rows[0]) for _ in range(2))
    other = lesson["augment"](rows[0]["path"], rows[0]["seed"] + 1)
    assert once.shape == (3, 64, 64) and np.array_equal(once, again)
    assert not np.array_equal(once, other)


@scripts
def test_without_photographs_it_says_what_to_do(script, tmp_path, monkeypatch) -> None:
    main = runpy.run_path(str(ROOT / script))["main"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.BadParameter, match="make samples"):
        main()
