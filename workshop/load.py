"""Load on an HTTP service, in a closed loop: each client sends its next request when it has the
answer to its last. The clients share one process and one event loop.
"""

import asyncio
import hashlib
import itertools
import json
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

TIMEOUT = 60  # seconds that a client waits for one answer


@dataclass(frozen=True)
class Answer:
    """What came of one request. status 0: no answer; body is then the reason."""

    status: int
    body: Any
    sent: float  # time.time()
    seconds: float


Send = Callable[[aiohttp.ClientSession, str, Any], Awaitable[Answer]]


@dataclass
class Load:
    """The answers in the order of the requests, and the seconds from the first to the last."""

    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status != 200]

    def percentile(self, percent: float) -> float:
        """Milliseconds within which that share of the requests was answered (nearest rank)."""
        ordered = sorted(answer.seconds for answer in self.answers)
        return 1000 * ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]

    @property
    def latency(self) -> str:
        p50, p95, p99 = (self.percentile(percent) for percent in (50, 95, 99))
        return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms"

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits of all bodies, in the order of the requests."""
        text = json.dumps([answer.body for answer in self.answers], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


async def _answer(request: Any) -> Answer:
    sent, start = time.time(), time.perf_counter()
    try:
        async with request as response:
            text, status = await response.text(), response.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        text, status = json.dumps(f"{type(error).__name__}: {error}"), 0
    try:
        said = json.loads(text)
    except ValueError:
        said = text
    return Answer(status, said, sent, time.perf_counter() - start)


async def post(
    session: aiohttp.ClientSession, url: str, body: Any, headers: dict | None = None
) -> Answer:
    """One POST of JSON, without a second try."""
    return await _answer(session.post(url, json=body, headers=headers))


async def get(session: aiohttp.ClientSession, url: str, body: Any) -> Answer:
    """One GET; there is nothing to send."""
    return await _answer(session.get(url))


async def _pieces(texts: AsyncIterator[str | bytes]) -> Answer:
    """{"id": .., "text": ..} of pieces of text in JSON, and the id; or, if it was cut, status 0."""
    sent, start, first, said = time.time(), time.perf_counter(), 0.0, []
    try:
        async for text in texts:
            first = first or time.perf_counter() - start
            said.append(json.loads(text))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Answer(0, f"{type(error).__name__}: {error}", sent, time.perf_counter() - start)
    if not said or isinstance(said[-1], str):
        return Answer(0, "the stream was cut", sent, time.perf_counter() - start)
    return Answer(200, dict(id=said[-1], text="".join(said[:-1])), sent, first)


async def events(session: aiohttp.ClientSession, url: str, body: Any) -> Answer:
    """One POST, answered by server-sent events; its seconds end with the first of them."""

    async def texts() -> AsyncIterator[bytes]:
        async with session.post(url, json=body, raise_for_status=True) as response:
            async for line in response.content:
                if line.startswith(b"data: "):
                    yield line[6:]

    return await _pieces(texts())


async def websocket(session: aiohttp.ClientSession, url: str, body: Any) -> Answer:
    """One message over a websocket of its own; its seconds end with the first that comes back."""

    async def texts() -> AsyncIterator[str]:
        async with session.ws_connect(url) as socket:
            await socket.send_json(body)
            async for message in socket:
                yield message.data

    return await _pieces(texts())


async def _drive(
    url: str,
    bodies: Iterator[Any],
    clients: int,
    headers: dict,
    send: Send,
    answers: dict,
    timeout: float = TIMEOUT,
) -> None:
    numbered = enumerate(bodies)

    async def client(session: aiohttp.ClientSession) -> None:
        for number, body in numbered:
            answers[number] = await send(session, url, body)

    connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(timeout)
    async with aiohttp.ClientSession(
        connector=connector, timeout=patience, headers=headers
    ) as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))


def closed_loop(
    url: str,
    bodies: Sequence[Any],
    clients: int = 1,
    warm_up: int = 20,
    headers: dict | None = None,
    send: Send = post,
    timeout: float = TIMEOUT,
) -> Load:
    """Sends every body once, from CLIENTS clients; before that, uncounted, the first WARM_UP.

    A client that has no answer after TIMEOUT seconds goes away.
    """
    answers: dict[int, Answer] = {}
    given = clients, headers or {}, send
    if warm_up:
        asyncio.run(_drive(url, iter(bodies[:warm_up]), *given, {}, timeout))
    start = time.perf_counter()
    asyncio.run(_drive(url, iter(bodies), *given, answers, timeout))
    return Load([answers[n] for n in range(len(bodies))], time.perf_counter() - start)


@contextmanager
def sustained(
    url: str,
    bodies: Sequence[Any],
    clients: int = 1,
    headers: dict | None = None,
    send: Send = post,
    pause: float = 0,
) -> Iterator[Load]:
    """Sends the bodies over and over until the block ends; the Load grows meanwhile.

    A client waits PAUSE seconds after each answer: one that is refused would hammer the service.
    Whoever reads it in the block sees the answers that are there; request n is body n % len.
    """
    stop, load = threading.Event(), Load()
    answers: dict[int, Answer] = {}
    start = time.perf_counter()

    def endless() -> Iterator[Any]:
        return itertools.takewhile(lambda _: not stop.is_set(), itertools.cycle(bodies))

    async def counted(session: aiohttp.ClientSession, url: str, body: Any) -> Answer:
        answer = await send(session, url, body)
        load.answers.append(answer)  # in the order of the answers, until the end
        load.seconds = time.perf_counter() - start
        await asyncio.sleep(pause)
        return answer

    work = _drive(url, endless(), clients, headers or {}, counted, answers)
    thread = threading.Thread(target=asyncio.run, args=(work,), daemon=True)
    thread.start()
    try:
        yield load
    finally:
        stop.set()
        thread.join()
        load.answers[:] = [answers[n] for n in sorted(answers)]
        load.seconds = time.perf_counter() - start
