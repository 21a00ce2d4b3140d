"""The load generator: against a small service with known answers, delays and failures."""

import asyncio
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI, HTTPException

from support import free_port
from workshop import load, web

app = FastAPI()
seen: dict[str, int] = {"at once": 0, "most": 0}


@app.get("/healthz")
async def healthz() -> dict:
    return seen


@app.post("/double")
async def double(body: dict) -> dict:
    seen["at once"] += 1
    seen["most"] = max(seen["most"], seen["at once"])
    await asyncio.sleep(0.001 * (5 - body["id"] % 5))  # the later ones are done first
    seen["at once"] -= 1
    if body["id"] % 10 == 3:
        raise HTTPException(503, "busy")
    return {"twice": 2 * body["id"]}


def serve_app(port: int) -> None:
    uvicorn.run(app, host=web.HOST, port=port, log_level="warning")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    with web.running(serve_app, port):
        yield f"http://{web.HOST}:{port}"


BODIES = [{"id": number} for number in range(40)]


def test_answers_come_in_the_order_of_the_requests(url) -> None:
    done = load.closed_loop(f"{url}/double", BODIES, clients=8)
    good = [n for n in range(40) if n % 10 != 3]
    assert [a.body["twice"] for a in done.answers if a.status == 200] == [2 * n for n in good]
    assert [answer.status for answer in done.failed] == [503] * 4
    assert done.failed[0].body == {"detail": "busy"}
    assert done.rate == pytest.approx(40 / done.seconds)
    alone = load.closed_loop(f"{url}/double", BODIES, clients=1, warm_up=0)
    assert alone.digest == done.digest
    assert load.closed_loop(f"{url}/double", BODIES[1:], clients=1).digest != done.digest


def test_as_many_at_once_as_there_are_clients(url) -> None:
    done = load.closed_loop(f"{url}/double", BODIES * 3, clients=16, warm_up=0)
    assert len(done.answers) == 120
    assert load.closed_loop(f"{url}/healthz", [None], send=load.get).answers[0].body["most"] == 16


def test_nobody_there_is_an_answer_of_status_0() -> None:
    done = load.closed_loop(f"http://{web.HOST}:{free_port()}/", BODIES[:2], warm_up=0)
    assert [answer.status for answer in done.answers] == [0, 0]
    assert "ClientConnectorError" in done.answers[0].body


def test_sustained_until_the_block_ends(url) -> None:
    with load.sustained(f"{url}/double", BODIES, clients=4) as under_way:
        while len(under_way.answers) < 100:
            pass
    assert len(under_way.answers) >= 100
    for number, answer in enumerate(under_way.answers):
        expected = {"detail": "busy"} if number % 10 == 3 else {"twice": 2 * (number % 40)}
        assert answer.body == expected


def test_percentiles_are_nearest_ranks() -> None:
    done = load.Load([load.Answer(200, None, 0, n / 1000) for n in range(1, 101)], 1)
    assert [done.percentile(p) for p in (1, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]
    done = load.Load([load.Answer(200, None, 0, seconds) for seconds in (0.003, 0.001)], 1)
    assert [done.percentile(p) for p in (0, 50, 51, 100)] == [1, 1, 3, 3]
    assert done.latency == "p50 1.0 ms, p95 3.0 ms, p99 3.0 ms"
