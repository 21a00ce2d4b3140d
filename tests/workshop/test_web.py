"""What a service turns away, and what is said of a port that is taken."""

import asyncio
import socket

import pytest
import typer
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from workshop import web


class Sum(BaseModel):
    a: float
    b: float = 0


@pytest.fixture
def client() -> TestClient:
    app = web.guarded(FastAPI(), limit=1000)

    @app.post("/sum")
    async def add(given: Sum) -> float:
        return given.a + given.b

    @app.post("/ping")
    async def ping() -> str:
        return "pong"

    return TestClient(app)


JSON = {"Content-Type": "application/json; charset=utf-8"}


def in_pieces():
    for _ in range(20):
        yield b" " * 100


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason"),
    [
        (b'{"a": 1}', JSON, 200, "1.0"),
        (b" " * 992 + b'{"a": 1}', JSON, 200, "1.0"),
        (b" " * 993 + b'{"a": 1}', JSON, 413, "more than 1000 bytes"),
        (in_pieces(), JSON, 413, "more than 1000 bytes"),
        (in_pieces(), {}, 415, "must be JSON"),
        (b'{"a": 1}', {"Content-Type": "text/plain"}, 415, "must be JSON"),
        (b'{"a": 1}', {"Content-Type": ""}, 415, "must be JSON"),
        (b'{"a": NaN}', JSON, 200, "null"),
        (b'{"a": "x"}', JSON, 422, "valid number"),
        (b"{", JSON, 422, "JSON decode error"),
        (b"", JSON, 422, "Field required"),
    ],
)
def test_every_body_gets_the_right_answer(client, content, headers, status, reason) -> None:
    answer = client.post("/sum", content=content, headers=headers)
    assert (answer.status_code, reason in answer.text) == (status, True), answer.text
    assert answer.json() is not ...


def test_who_sends_too_slowly_is_told_so() -> None:
    app = web.guarded(FastAPI(), seconds=0.1)

    @app.post("/sum")
    async def add(given: Sum) -> float:
        await asyncio.sleep(0.3)  # the time for the answer is no concern of it
        return given.a + given.b

    async def ask(*pieces: bytes) -> list[dict]:
        said, left = [], list(pieces)

        async def receive() -> dict:
            if not left:
                await asyncio.sleep(60)
            return dict(type="http.request", body=left.pop(0), more_body=True)

        async def send(message: dict) -> None:
            said.append(message)

        scope = dict(type="http", method="POST", path="/sum", query_string=b"", root_path="")
        scope["headers"] = [(b"content-type", b"application/json"), (b"content-length", b"8")]
        await app(scope, receive, send)
        return said

    start, body = asyncio.run(ask(b'{"a"'))
    assert start["status"] == 408 and b"took over 0.1 s" in body["body"]
    assert TestClient(app).post("/sum", json=dict(a=1)).json() == 1


def test_nothing_to_send_needs_no_content_type(client) -> None:
    assert client.post("/ping").json() == "pong"


def test_a_port_that_is_taken_or_none() -> None:
    with socket.socket() as other:
        other.bind((web.HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(typer.BadParameter, match=f"port {port} cannot be had"):
            web.check_port(port)
    web.check_port(port)
    with pytest.raises(typer.BadParameter, match="port 99999"):
        web.check_port(99999)


def fails(port: int) -> None:
    raise SystemExit(3)


def test_a_server_that_ends_at_once_is_not_waited_for() -> None:
    with pytest.raises(RuntimeError, match="nothing healthy"), web.running(fails, 1):
        pass
