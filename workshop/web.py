"""What every HTTP service of ray_serve has besides its lesson, FastAPI alone and on Serve alike.

Requests that are too large or no JSON are turned away before they are read, and whatever is
malformed gets a 4xx with a sentence in JSON.
"""

import asyncio
import multiprocessing
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST, LIMIT, PATIENCE = "127.0.0.1", 1_000_000, 60
SLOWEST = 30  # seconds within which a client must have sent its request


class Guard:
    """ASGI middleware: 413 for a body over LIMIT bytes, 415 for one that is not JSON, 408 for one
    that is not here after SECONDS.

    A dependency of FastAPI comes too late for that: the body has been read by then.
    """

    def __init__(self, app: ASGIApp, limit: int = LIMIT, seconds: float = SLOWEST) -> None:
        self.app, self.limit, self.seconds = app, limit, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers, read = dict(scope["headers"]), 0
        deadline: float | None = asyncio.get_running_loop().time() + self.seconds
        too_large = HTTPException(413, f"the body has more than {self.limit} bytes")
        not_json = HTTPException(415, "the body must be JSON: Content-Type: application/json")

        async def limited() -> Message:
            nonlocal read, deadline
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"the body took over {self.seconds} s") from None
            if not message.get("more_body"):
                deadline = None  # what comes now is the end of the connection
            read += len(message.get("body", b""))
            if read > self.limit:
                raise too_large
            return message

        said = headers.get(b"content-length", b"0")
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if said.isdigit() and int(said) > self.limit:
            refusal = too_large
        elif (said != b"0" or b"transfer-encoding" in headers) and kind != b"application/json":
            refusal = not_json
        else:
            return await self.app(scope, limited, send)
        answer = JSONResponse(dict(detail=refusal.detail), refusal.status_code)
        await answer(scope, receive, send)


async def explain(request: Request, error: RequestValidationError) -> JSONResponse:
    """422 with the place and the reason; what was sent is left out, it may be no JSON (NaN)."""
    wrong = [{key: each[key] for key in ("loc", "msg", "type")} for each in error.errors()]
    return JSONResponse(dict(detail=wrong), 422)


def guarded(app: FastAPI, limit: int = LIMIT, seconds: float = SLOWEST) -> FastAPI:
    """The same app, behind the Guard."""
    app.add_middleware(Guard, limit=limit, seconds=seconds)
    app.add_exception_handler(RequestValidationError, explain)
    return app


def check_port(port: int, instead: str = "give another --port") -> None:
    """Raises typer.BadParameter unless a server can listen on PORT of this machine.

    Requests to it then go past any HTTP proxy that the environment names.
    """
    for name in ("no_proxy", "NO_PROXY"):
        known = [host for host in os.environ.get(name, "").split(",") if host and host != HOST]
        os.environ[name] = ",".join([*known, HOST])
    if port == 0:
        raise typer.BadParameter("port 0 cannot be had: ports start at 1")
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
    except (OSError, OverflowError) as error:
        raise typer.BadParameter(
            f"port {port} cannot be had ({error}): end what listens there, or {instead}"
        ) from None


def wait_until_healthy(port: int, alive: Callable[[], bool] = lambda: True) -> None:
    """Returns once /healthz answers 200; raises RuntimeError if that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while alive() and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/healthz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"nothing healthy on port {port}")


@contextmanager
def running(serve: Callable[[int], None], port: int) -> Iterator[multiprocessing.Process]:
    """A process of its own in which serve(port) runs; healthy when the block begins."""
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    server.start()
    try:
        wait_until_healthy(port, server.is_alive)
        yield server
    finally:
        server.terminate()
        server.join(5)
        server.kill()


def hold(port: int) -> None:
    """Keeps the service up until Ctrl-C."""
    print(f"http://{HOST}:{port}/docs, until Ctrl-C", flush=True)
    while True:
        time.sleep(3600)
