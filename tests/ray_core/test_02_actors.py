"""The actor's total is exact and is read while work runs; the global's copy ends at 0."""

import re

from support import as_attendee, here

RAY, PITFALL = "ray_core/02_actors_ray.py", "ray_core/02_actors_pitfall.py"
BASELINE = "ray_core/02_actors_baseline.py"


def test_total_is_exact_under_200_tasks(call) -> None:
    exact = here(BASELINE, images=200, seconds=0.0)
    counted = call(RAY, images=200, seconds=0.0)
    assert counted.figures["answer"] == exact["answer"] > 0


def test_the_total_is_read_while_work_runs(call) -> None:
    result = call(RAY, images=40, seconds=0.05)
    reads, total = result.figures["reads"], result.figures["answer"]
    assert reads == sorted(reads) and reads[-1] == total
    assert sum(0 < read < total for read in reads) >= 2
    shown = re.findall(r"^ *\d+/40 images, ([\d,]+) pixels$", result.run.stdout, re.MULTILINE)
    assert [int(pixels.replace(",", "")) for pixels in shown] == reads


def test_the_pitfall_ends_at_zero_and_says_why() -> None:
    result = as_attendee(PITFALL).run
    assert result.answer == "0"
    assert "each worker process counted in its own copy" in result.stdout
