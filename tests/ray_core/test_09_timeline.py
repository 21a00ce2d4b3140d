"""The timeline holds a bar for each task, on several workers at once, and so does the picture."""

import itertools

import pytest
from PIL import Image

from support import as_attendee
from workshop.lessons import ROOT

BASELINE, RAY = "ray_core/09_timeline_baseline.py", "ray_core/09_timeline_ray.py"
IMAGES = 24  # the default
RED, INDIGO = (255, 0, 0), (75, 0, 130)
CLOCK = 0.005  # seconds by which bars of one worker may seem to overlap


@pytest.mark.parametrize("script", [BASELINE, RAY])
def test_bars_and_picture(script) -> None:
    figures = as_attendee(script).figures
    bars = figures["bars"]
    assert len({name for _, _, _, name in bars}) == len(bars) == IMAGES
    assert len(figures["failed"]) == 1
    assert all(seconds > 0 for _, _, seconds, _ in bars)
    assert max(start for _, start, _, _ in bars) - min(start for _, start, _, _ in bars) < 60

    at_once = 0
    for (one, start, seconds, _), (other, later, _, _) in itertools.combinations(
        sorted(bars, key=lambda bar: bar[1]), 2
    ):
        overlap = start + seconds - later
        at_once += one != other and overlap > 0
        assert one != other or overlap < CLOCK, "one worker did two tasks at once"
    assert at_once, "no two tasks ran at the same time"

    picture = Image.open(ROOT / figures["picture"]).convert("RGB")
    assert picture.width >= 1200 and picture.height >= 400
    colours = {colour: pixels for pixels, colour in picture.getcolors(picture.width * 1000)}
    assert colours.get(RED, 0) > 100, "the failed task is not marked"
    assert colours.get(INDIGO, 0) > colours[RED], "the slow task is not the longer one"
