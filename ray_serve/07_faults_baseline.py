"""kill -9 of a service under load: one uvicorn process, which a loop starts again.

    python ray_serve/07_faults_baseline.py

Each request books one charge in a ledger (SQLite). Every other one is sent once; the rest again and
again until they are answered. The answer is the digest of these: what a client can be promised.
Last line: 200 requests in 4.91 s (40.7 requests/s), answer 417b7398
"""

import asyncio
import functools
import json
import os
import random
import signal
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from tempfile import TemporaryDirectory
from typing import Annotated

import psutil
import torch
import typer
import uvicorn
from fastapi import FastAPI
from pydantic import AfterValidator, Base64Bytes, BaseModel

from workshop import digits, load, web

BUSY = 0.1  # seconds: stand for what else there is to do, before the booking and after it
WAITS = 0.1, 0.2, 0.4, 0.8, *[1.6] * 40  # seconds: the longest pause after each attempt
TEMPORARY = (0, 429, 500, 502, 503, 504)  # 0: no answer at all
LEDGER = "CREATE TABLE charges (id INTEGER PRIMARY KEY, label, times)"
BOOK = "INSERT INTO charges VALUES (?, ?, 1) ON CONFLICT (id) DO UPDATE SET times = times + 1"

app = web.guarded(FastAPI(title="Digits"))


class Picture(BaseModel):
    id: int
    png: Annotated[Base64Bytes, AfterValidator(digits.as_pixels)]  # (1, 8, 8), 0 to 1


class Label(BaseModel):
    id: int
    label: int


@functools.cache
def model() -> torch.nn.Module:
    return digits.classifier()


@app.get("/healthz")
async def healthz() -> dict[str, int]:
    return {"pid": os.getpid()}


@app.post("/predict")
async def predict(picture: Picture) -> Label:
    await asyncio.sleep(BUSY)
    label = model()(picture.png[None]).argmax().item()
    app.state.ledger.execute(BOOK, (picture.id, label))
    await asyncio.sleep(BUSY)
    return Label(id=picture.id, label=label)


def serve_app(ledger: str, port: int) -> None:
    app.state.ledger = sqlite3.connect(ledger, isolation_level=None)
    model()
    uvicorn.run(app, host=web.HOST, port=port, log_level="warning")


@contextmanager
def supervised(ledger: str, port: int) -> Iterator[None]:
    """A process that is started again when it has died, as systemd or Docker would do it."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            with suppress(RuntimeError), web.running(partial(serve_app, ledger), port) as server:
                while server.is_alive() and not over.wait(0.05):
                    pass

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield web.wait_until_healthy(port)
    finally:
        over.set()
        thread.join()


def strike(base: str) -> None:
    """kill -9 of the process that answers next."""
    while True:
        with suppress(OSError), urllib.request.urlopen(f"{base}/healthz") as reply:  # noqa: S310
            return os.kill(json.load(reply)["pid"], signal.SIGKILL)
        time.sleep(0.01)


async def patient(session: load.aiohttp.ClientSession, url: str, body: dict) -> load.Answer:
    """Sends it until it is answered, after a wait that grows and that chance shortens (jitter)."""
    for longest in WAITS:
        answer = await load.post(session, url, body)
        if answer.status not in TEMPORARY:
            break
        await asyncio.sleep(random.uniform(0, longest))
    return answer


def main(
    requests: int = 200, kills: int = 1, clients: int = 16, port: int = 8000, seed: int = 42
) -> dict:
    """REQUESTS requests from CLIENTS clients, with KILLS times a kill -9 amid them."""
    if requests < 2 * kills or kills < 1 or clients < 1:
        raise typer.BadParameter("--kills, --clients start at 1, --requests at twice the kills")
    web.check_port(port)
    pictures, base = digits.requests(requests, seed), f"http://{web.HOST}:{port}"
    digits.cached("convnet")
    strikes = range(requests // kills // 2, requests, requests // kills)[:kills]

    async def send(session: load.aiohttp.ClientSession, url: str, body: dict) -> load.Answer:
        if body["id"] in strikes:
            await asyncio.to_thread(strike, base)
        return await (patient if body["id"] % 2 else load.post)(session, url, body)

    with TemporaryDirectory() as folder, sqlite3.connect(f"{folder}/ledger.db") as ledger:
        ledger.execute(LEDGER)
        with supervised(f"{folder}/ledger.db", port):
            ready = time.time() - psutil.Process().create_time()
            done = load.closed_loop(f"{base}/predict", pictures, clients, warm_up=0, send=send)
        times = dict(ledger.execute("SELECT id, times FROM charges"))

    failed = [number for number, answer in enumerate(done.answers) if answer.status != 200]
    once, gave_up = ([n for n in failed if n % 2 == odd] for odd in (0, 1))
    booked, twice = [n for n in once if n in times], [n for n in times if times[n] > 1]
    lost, dead = len(once) - len(booked), len(gave_up)
    statuses = sorted({done.answers[number].status for number in once})
    print(f"sent once: {len(once)} failed {statuses}, {lost} of them lost, {len(booked)} booked")
    print(f"sent until answered: {dead} failed, {len(twice)} executed again and booked once")
    print(f"ready in {ready:.1f} s")
    seconds, answer = done.seconds, load.Load(done.answers[1::2]).digest
    print(f"{requests} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=requests, unit="requests", seconds=seconds, ready_seconds=ready)
    figures |= dict(answer=answer, failed=len(once), gave_up=dead, lost=lost)
    return figures | dict(booked=len(booked), twice=len(twice), charges=len(times))


if __name__ == "__main__":
    typer.run(main)
