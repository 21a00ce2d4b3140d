"""Tokens come as they are made, whoever leaves stops them, and the text is that of the baseline."""

import asyncio
import json
import runpy
import threading
from collections.abc import Iterator

import aiohttp
import httpx2 as httpx
import pytest
import uvicorn

from bad_input import wrongly_answered
from support import as_attendee, free_port, held, refusal
from workshop import load, offline_data, web
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_serve/09_streaming_{kind}.py" for kind in ("baseline", "ray"))
LONG = offline_data.held_out()[2]  # three calculations, 74 tokens
BODY = dict(id=3, text=LONG.question)
SHORT = dict(id=4, text=offline_data.held_out()[0].question)  # one calculation


def test_all_is_answered_and_both_ways_say_the_same() -> None:
    bare, ray = (as_attendee(twin).figures for twin in (BASELINE, RAY))
    assert bare["failed"] == ray["failed"] == 0
    assert ray["on_socket"] == ray["answer"] == bare["answer"]


def test_who_leaves_stops_the_generation() -> None:
    bare, ray = (as_attendee(twin).figures for twin in (BASELINE, RAY))
    assert bare["left"] == bare["stayed"] == ray["stayed"]
    assert ray["left"] < ray["stayed"] / 2


@pytest.mark.measures
def test_the_first_token_comes_sooner() -> None:
    bare, ray = (as_attendee(twin).figures for twin in (BASELINE, RAY))
    assert ray["first"] < bare["first"]
    assert ray["first_on_socket"] < bare["first"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with held(RAY) as base:
        made(base)  # the ingress is healthy before the model is
        yield base


def made(url: str) -> int:
    return httpx.get(f"{url}/tokens", timeout=60).json()


async def count_when_idle(url: str) -> int:
    before, now = None, made(url)
    while before != now:
        await asyncio.sleep(0.5)
        before, now = now, made(url)
    return now


def test_events_are_pieces_and_an_end(url) -> None:
    answer = httpx.post(f"{url}/solve", json=BODY, timeout=60)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, end = answer.text.strip().split("\n\n")
    pieces = [json.loads(event.removeprefix("data: ")) for event in events]
    assert "".join(pieces) == LONG.answer
    assert len(pieces) > 50, "in a few large pieces"
    assert end == f"event: end\ndata: {BODY['id']}"


def test_on_a_socket_who_leaves_stops_the_generation(url) -> None:
    async def leave(times: int) -> int:
        begin = made(url)
        async with aiohttp.ClientSession() as session:
            for _ in range(times):
                async with session.ws_connect(f"{url}/solve") as talk:
                    await talk.send_json(BODY)
                    assert await talk.receive_json() == "Noah"
        return await count_when_idle(url) - begin

    whole = len(httpx.post(f"{url}/solve", json=BODY, timeout=60).text.split("\n\n"))
    assert 5 <= asyncio.run(leave(5)) < 5 * whole / 2


def test_two_clients_take_turns(url) -> None:
    """The short answer does not wait for the end of a long one that began before it."""

    async def both() -> list[str]:
        over = []
        async with aiohttp.ClientSession() as session:
            begun = asyncio.Event()

            async def ask(problem, first: bool) -> None:
                if not first:
                    await begun.wait()
                body = dict(id=0, text=problem.question)
                async with session.post(f"{url}/solve", json=body) as response:
                    async for _ in response.content:
                        begun.set()
                over.append(problem)

            short = offline_data.held_out()[0]  # one calculation
            await asyncio.gather(ask(LONG, True), ask(short, False))
        return over

    assert asyncio.run(both())[-1] == LONG


def test_a_stream_that_is_cut_is_no_answer() -> None:
    async def cut() -> load.Answer:
        async def texts():
            yield '"Noah"'
            yield '" has"'

        return await load._pieces(texts())

    assert asyncio.run(cut()).status == 0


@pytest.mark.parametrize("message", [b"{", b'{"id": 1}', b'{"id": "x", "text": "a"}', None])
def test_a_bad_message_closes_the_socket_with_a_reason(url, message) -> None:
    async def say() -> aiohttp.WSMessage:
        async with aiohttp.ClientSession() as one, one.ws_connect(f"{url}/solve") as talk:
            await (talk.send_str(message.decode()) if message else talk.send_bytes(b"\x00"))
            return await talk.receive()

    closed = asyncio.run(say())
    assert closed.type == aiohttp.WSMsgType.CLOSE and closed.data == 1007 and closed.extra
    assert httpx.post(f"{url}/solve", json=BODY, timeout=60).status_code == 200


def test_bad_input(url) -> None:
    assert wrongly_answered(url, "/solve", SHORT) == []


def test_bad_input_of_the_baseline() -> None:
    app, port = runpy.run_path(str(ROOT / BASELINE))["app"], free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        web.wait_until_healthy(port)
        assert wrongly_answered(f"http://{web.HOST}:{port}", "/solve", SHORT) == []
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("twin", [BASELINE, RAY])
def test_what_is_refused(twin) -> None:
    assert "start at 1" in refusal(twin, "--clients", "0")


def test_the_texts_are_the_models_own_greedy_ones() -> None:
    """Token by token with a cache, as here, is what transformers' generate() does."""
    names = runpy.run_path(str(ROOT / BASELINE))
    model = names["Model"]()
    for problem in offline_data.held_out()[:6]:
        ids = model.tokenizer(f"<|user|>{problem.question}<|assistant|>", return_tensors="pt")
        tokens = model.model.generate(**ids, max_new_tokens=128, do_sample=False, use_cache=True)
        text = model.tokenizer.decode(tokens[0, ids["input_ids"].shape[1] :])
        assert model.generate(problem.question) == text.removesuffix("<|endoftext|>")
