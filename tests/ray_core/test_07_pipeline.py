"""Requests overlap up to a bound, and the second stage works while the first still fetches."""

import pytest

from support import as_attendee
from workshop.lessons import ROOT

BASELINE, RAY = "ray_core/07_pipeline_baseline.py", "ray_core/07_pipeline_ray.py"
PHOTOS, AT_ONCE = 48, 8  # the defaults
ASYNC = """
    async def fetch(self, url: str) -> bytes:
        async with aiohttp.request("GET", url) as response:  # NEW:
            return await response.read()
"""
THREADS = """
    def fetch(self, url: str) -> bytes:
        import requests
        return requests.get(url, timeout=60).content
"""


def in_flight(requests: list[list[float]]) -> int:
    """How many requests the server had in hand when it had most."""
    steps = sorted([(began, 1) for began, _ in requests] + [(ended, -1) for _, ended in requests])
    now, most = 0, 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


@pytest.fixture(scope="module", params=[BASELINE, RAY])
def figures(request) -> dict:
    return as_attendee(request.param).figures


def test_requests_overlap_and_the_bound_holds(figures) -> None:
    assert len(figures["requests"]) == PHOTOS
    assert 1 < in_flight(figures["requests"]) <= AT_ONCE
    assert figures["in_flight"] == in_flight(figures["requests"])


def test_the_second_stage_works_while_the_first_still_fetches(figures) -> None:
    """Six rounds of requests: something of an early one is filtered before the last one ends."""
    assert figures["early"] >= 1


@pytest.mark.parametrize("script", [BASELINE, RAY])
def test_one_slot_is_one_request_at_a_time(call, script) -> None:
    figures = call(script, photos=4, latency=0.1, at_once=1).figures
    assert figures["in_flight"] == in_flight(figures["requests"]) == 1


def test_the_same_bound_for_threads(call, tmp_path) -> None:
    """Without `async`, max_concurrency is the number of threads of the actor."""
    text = (ROOT / RAY).read_text()
    assert ASYNC in text
    threaded = tmp_path / "07_pipeline_threads.py"
    threaded.write_text(text.replace(ASYNC, THREADS))
    threads = call(str(threaded), photos=PHOTOS).figures
    assert 1 < in_flight(threads["requests"]) <= AT_ONCE
    assert threads["answer"] == as_attendee(BASELINE).figures["answer"]
