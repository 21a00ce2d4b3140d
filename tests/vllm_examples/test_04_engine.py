"""One engine that many clients share, and two ways of not sharing it."""

import asyncio
import time
from collections.abc import Iterator

import openai
import psutil
import pytest

from ray import serve

from openai_checks import (
    GREEDY,
    OTHERS,
    Said,
    ask_others,
    client,
    listens_on_this_machine_only,
    openai_sees_the_refusals,
    streams_the_whole,
    wrongly_refused,
)
from support import served
from workshop import chats

BASELINE, RAY, PITFALL = (
    f"vllm_examples/04_engine_{kind}.py" for kind in ("baseline", "ray", "pitfall")
)


@pytest.fixture(scope="module")
def found() -> list[Said]:
    """What each service said to the same questions."""
    return []


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """Of each script's measured load."""
    return {}


@pytest.fixture(
    scope="module", params=[BASELINE, PITFALL, RAY], ids=["fastapi", "pitfall", "engine"]
)
def service(request, seconds) -> Iterator[tuple[str, str]]:
    with served(request.param) as (base, seconds[request.param]):
        yield request.param, base


@pytest.mark.measures  # as is the load in the run that begins here
def test_a_stream_is_the_whole_answer(service) -> None:
    script, url = service
    pieces = streams_the_whole(url)
    assert len(pieces) == 1 if script == PITFALL else len(pieces) > 5
    streams_the_whole(url, max_tokens=5)


async def overlaps(url: str, count: int = 4) -> int:
    """How many of COUNT answers, asked for at once, had begun when the first of them ended."""
    begun, at_the_first_end = set(), []

    async def read(openai_: openai.AsyncOpenAI, number: int) -> None:
        async for _ in await openai_.chat.completions.create(**GREEDY, stream=True):
            begun.add(number)
        at_the_first_end.append(len(begun))

    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as opened:
        await asyncio.gather(*(read(opened, number) for number in range(count)))
    return at_the_first_end[0]


def test_only_the_engine_writes_several_answers_at_a_time(service) -> None:
    script, url = service
    together = asyncio.run(overlaps(url))
    assert together > 1 if script == RAY else together <= 2  # the next may begin at once


def test_it_lists_its_model(service) -> None:
    assert [model.id for model in client(service[1]).models.list()] == [chats.NAME]


def test_bad_requests_are_turned_away_and_the_next_is_answered(service) -> None:
    assert wrongly_refused(service[1]) == []


def test_what_it_cannot_do_is_refused(service) -> None:
    for more in (dict(temperature=0.7), dict(n=2), dict(stop="."), dict(logprobs=True)):
        with pytest.raises(openai.BadRequestError, match=next(iter(more))):
            client(service[1]).chat.completions.create(**GREEDY | more)


def test_the_client_raises_the_right_errors(service) -> None:
    openai_sees_the_refusals(service[1])


def test_it_listens_on_this_machine_only(service) -> None:
    listens_on_this_machine_only(service[1])


def test_most_answers_are_right(service, found) -> None:
    found.append(ask_others(service[1]))
    assert found[-1].right >= 0.85 * OTHERS


def test_an_engine_that_dies_is_noticed(service) -> None:
    """Its process is not the replica's: without check_health() Serve would go on sending to it."""
    script, url = service
    if script != RAY:
        pytest.skip("only the engine has a process of its own")
    engines = [
        child
        for child in psutil.Process().children(recursive=True)
        if child.name().startswith("VLLM::Engine")
    ]
    assert len(engines) == 1
    engines[0].kill()
    deadline = time.monotonic() + 60
    with pytest.raises(openai.InternalServerError):
        client(url).chat.completions.create(**GREEDY)
    while serve.status().applications["default"].deployments["Chat"].replica_states.get("RUNNING"):
        assert time.monotonic() < deadline, "a replica without an engine is still running"
        time.sleep(0.2)


def test_the_engine_gains_and_a_handler_that_blocks_does_not(seconds) -> None:
    """The README says several times for the one, and nothing for the other."""
    assert seconds[RAY] < seconds[BASELINE] / 2
    assert seconds[PITFALL] > seconds[BASELINE] / 1.5


def test_all_say_the_same_in_as_many_tokens(found) -> None:
    assert len(found) == 3 and found[0] == found[1] == found[2]
