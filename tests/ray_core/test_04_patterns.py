"""Results came as they finished, never too many in flight, and batches made tiny calls cheap."""

from itertools import pairwise

import pytest

from support import LOGICAL_CPUS, as_attendee

BASELINE, PITFALL, RAY = (f"ray_core/04_patterns_{x}.py" for x in ("baseline", "pitfall", "ray"))
IMAGES = 120  # the default
LIMIT = 2 * LOGICAL_CPUS


@pytest.fixture(scope="module")
def figures() -> dict[str, dict]:
    """What each of the three scripts returned for the same images."""
    return {script: as_attendee(script).figures for script in (BASELINE, PITFALL, RAY)}


def overlaps(spans: list[list[float]]) -> int:
    """How many pieces of work began before the one that began before them had ended."""
    return sum(next_began < end for (_, end), (next_began, _) in pairwise(sorted(spans)))


def test_the_same_total_and_every_image_once(figures) -> None:
    assert len({of["answer"] for of in figures.values()}) == 1
    for of in figures.values():
        assert sorted(of["order"]) == list(range(IMAGES))


def test_never_more_in_flight_than_the_limit_and_that_many(figures) -> None:
    assert figures[RAY]["max_in_flight"] == LIMIT
    for results, number in enumerate(figures[RAY]["order"]):
        assert number < results + LIMIT, "it was submitted before there was room for it"


def test_few_images_are_all_in_flight(call) -> None:
    assert call(RAY, images=3, calls=1).figures["max_in_flight"] == 3


def test_results_come_as_they_finish(figures) -> None:
    assert figures[RAY]["order"] != list(range(IMAGES))
    for script in (BASELINE, PITFALL):
        assert figures[script]["order"] == list(range(IMAGES))


def test_get_in_the_loop_never_overlaps_and_wait_does(figures) -> None:
    assert overlaps(figures[BASELINE]["spans"]) == 0
    assert overlaps(figures[PITFALL]["spans"]) == 0
    assert overlaps(figures[RAY]["spans"]) > IMAGES // 4


def test_the_cost_is_very_uneven(figures) -> None:
    spent = sorted(end - began for began, end in figures[BASELINE]["spans"])
    assert spent[-1] > 20 * spent[len(spent) // 4]


def test_a_batch_makes_a_tiny_call_cheap(figures, call) -> None:
    seen = [figures[RAY]]
    while not cheap(seen[-1]) and len(seen) < 3:
        seen.append(call(RAY, images=1).figures)
    assert cheap(seen[-1]), [(of["overhead_us"], of["batched_us"]) for of in seen]
    assert all(of["same"] for of in seen), "batches gave other pixels than single calls"


def cheap(of: dict) -> bool:
    return of["overhead_us"] > 3 * of["batched_us"]
