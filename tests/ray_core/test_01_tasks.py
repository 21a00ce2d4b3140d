"""Tasks run in different processes, overlap in time, and starting workers is not timed as work."""

import pytest

from workshop.lessons import all_pairs, changed_lines, select
from workshop.runner import Run, run_script

BASELINE, RAY = "ray_core/01_tasks_baseline.py", "ray_core/01_tasks_ray.py"


FOUR = ("--images", "4", "--seconds", "1", "--size", "64")


@pytest.fixture(scope="module")
def one_by_one() -> Run:
    return run_script(BASELINE, *FOUR, timeout=150)


@pytest.mark.measures
@pytest.mark.parametrize("method", ["threads", "processes", "asyncio"])
def test_the_old_fashioned_ways_agree_and_overlap(one_by_one, method) -> None:
    at_once = run_script(BASELINE, *FOUR, "--method", method, "--cpus", "4", timeout=150)
    assert at_once.ok and one_by_one.ok, at_once.error + one_by_one.error
    assert at_once.answer == one_by_one.answer
    assert at_once.seconds < one_by_one.seconds - 1


def fastest(runs, wanted: float):
    """The fastest of up to three runs; other programs on the machine only ever make one slower."""
    best = None
    for _ in range(3):
        result = runs()
        assert result.ok, result.error
        best = result if best is None or result.seconds < best.seconds else best
        if best.seconds <= wanted:
            break
    return best


@pytest.mark.measures
def test_eight_at_once_on_eight_logical_cpus(run_alone) -> None:
    """Eight filters of 1 s overlap wholly, which only eight processes of their own can do."""
    best = fastest(lambda: run_alone(RAY, "--images", "8", "--cpus", "8"), 1.10)
    assert best.seconds <= 1.10
    assert best.ready_seconds > best.seconds, "worker start belongs to getting ready"


@pytest.mark.measures
def test_two_at_a_time_on_two(run_alone) -> None:
    best = fastest(lambda: run_alone(RAY, "--images", "8", "--cpus", "2"), 4.30)
    assert 3.9 <= best.seconds <= 4.30


def test_the_diff_fits_a_slide() -> None:
    (pair,) = select(["ray_core/01"], all_pairs())
    assert changed_lines(pair) <= 15
