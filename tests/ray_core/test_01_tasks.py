"""Tasks ran in different processes, overlapped in time, and worker start was not timed as work."""

import pytest

BASELINE, RAY = "ray_core/01_tasks_baseline.py", "ray_core/01_tasks_ray.py"
EIGHT_AT_ONCE, TWO_AT_A_TIME = 1.10, 4.30  # seconds, for eight filters of 1 s


@pytest.mark.parametrize("method", ["threads", "processes", "asyncio"])
def test_the_old_fashioned_ways_agree_and_overlap(run, method) -> None:
    flags = ("--images", "4", "--seconds", "0.5", "--size", "64")
    one_by_one = run(BASELINE, *flags)
    at_once = run(BASELINE, *flags, "--method", method, "--cpus", "4")
    assert at_once.answer == one_by_one.answer
    assert at_once.seconds < one_by_one.seconds - 0.4
