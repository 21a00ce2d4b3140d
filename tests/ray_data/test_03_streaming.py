"""A list grows with the data and a limit stops it; a stream does not grow, and spills nothing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support import refusal

BASELINE, RAY = (f"ray_data/03_streaming_{kind}.py" for kind in ("baseline", "ray"))
IMAGE_MB = 512 * 512 * 3 / 1e6
FEW, MANY = 350, 700  # 275 MB and 550 MB: both are more than the store's 200 MB
LIMIT = 400


def test_the_list_grows_with_the_data(call, tmp_path) -> None:
    few, many = (
        call(BASELINE, images=images, output=str(tmp_path)).figures for images in (100, 400)
    )
    grown = 300 * IMAGE_MB
    assert 0.8 * grown < many["driver_mb"] - few["driver_mb"] < 1.3 * grown
    assert 0.8 * grown < many["tree_mb"] - few["tree_mb"] < 1.3 * grown
    assert (tmp_path / "baseline.png").stat().st_size > 5000


def test_the_stream_does_not_and_no_limit_stops_it(call_alone, tmp_path) -> None:
    few, many = (
        call_alone(RAY, images=images, memory_limit=limit, output=str(tmp_path)).figures
        for images, limit in ((FEW, 0), (MANY, LIMIT))
    )
    assert many["items"] == MANY
    grown = (MANY - FEW) * IMAGE_MB
    assert many["tree_mb"] - few["tree_mb"] < 0.5 * grown
    assert many["driver_mb"] - few["driver_mb"] < 0.3 * grown
    for figures in (few, many):
        assert figures["tree_mb"] > figures["floor_mb"] > 100, "Ray's own processes count as well"
        assert figures["spilled_mb"] < 0.1 * grown
    with Image.open(tmp_path / "ray.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 10


def test_the_same_limit_stops_the_list(run, tmp_path) -> None:
    flags = ("--images", str(MANY), "--memory-limit", str(LIMIT), "--output", str(tmp_path))
    stopped = run(BASELINE, *flags)
    assert stopped.exit_code == 1
    assert stopped.stderr.count("\n") == 1 and "--memory-limit was reached at" in stopped.stderr
    decoded = int(stopped.stderr.split(" at ")[1].split(" of ")[0])
    assert 0.6 * LIMIT < decoded * IMAGE_MB < 1.1 * LIMIT


@pytest.mark.parametrize("script", [BASELINE, RAY])
def test_no_data_is_one_sentence(script, tmp_path) -> None:
    assert "make samples" in refusal(script, "--input", str(tmp_path / "none"))
    assert not Path(tmp_path, "none").exists()
