"""Requests overlap up to a bound, and the second stage works while the first still fetches."""

import pytest

from support import SHARED, call_main
from workshop.lessons import ROOT

BASELINE, RAY = "ray_core/07_pipeline_baseline.py", "ray_core/07_pipeline_ray.py"
SMALL = {"photos": 18, "latency": 0.3, "at_once": 3}
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
    return call_main(request.param, SMALL, SHARED.env()).figures


def test_requests_overlap_and_the_bound_holds(figures) -> None:
    assert len(figures["requests"]) == 18
    assert 1 < in_flight(figures["requests"]) <= 3
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
    threads, stock = (
        call(str(threaded), **SMALL).figures,
        call(BASELINE, **SMALL | {"latency": 0}).figures,
    )
    assert 1 < in_flight(threads["requests"]) <= 3
    assert threads["answer"] == stock["answer"]
