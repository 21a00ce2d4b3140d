"""Ray knew which task failed, where and why, which one was slow, and what had been counted."""

import re
import runpy

from support import as_attendee
from workshop.lessons import ROOT

BASELINE, RAY = "ray_core/09_observe_baseline.py", "ray_core/09_observe_ray.py"
IMAGES, SEED = 24, 42  # the defaults


def deliberate() -> tuple[str, str]:
    """The names of the large photograph and of the broken one, which has a byte too few."""
    crops = runpy.run_path(str(ROOT / RAY))["photographs"](IMAGES, SEED)
    sides = {name: (len(crop) / 3) ** 0.5 for name, crop in crops.items()}
    (broken,) = [name for name, side in sides.items() if not side.is_integer()]
    return max(sides, key=sides.get), broken


def line_of(code: str) -> int:
    lines = (ROOT / RAY).read_text().splitlines()
    return next(i for i, line in enumerate(lines, start=1) if code in line)


def test_the_failure_is_explained_and_the_slow_one_found() -> None:
    large, broken = deliberate()
    ray = as_attendee(RAY)
    figures = ray.figures
    assert "; 1 task FAILED, its log: " in ray.run.stdout, "the state API shows more, or none"
    assert list(figures["failed"]) == [broken]
    where = rf'09_observe_ray\.py", line {line_of("photo.reshape")}, in soften'
    assert re.search(where, figures["failed"][broken]), figures["failed"][broken]
    assert "cannot reshape array" in figures["failed"][broken]
    assert figures["slowest"] == large
    assert figures["log"].startswith(f"{broken}: "), "this is not the failed task's log"
    assert figures["count"] == IMAGES, "the metrics pages count other photographs, or fewer"
    assert figures["codes"] == [200, 401]
    assert re.search(r"pid=\d+\)\S* .*bytes", ray.run.stderr), "no task's line reached the driver"


def test_the_books_kept_by_hand_say_the_same() -> None:
    large, broken = deliberate()
    figures = as_attendee(BASELINE).figures
    assert (list(figures["failed"]), figures["slowest"]) == ([broken], large)
    assert figures["count"] == IMAGES
