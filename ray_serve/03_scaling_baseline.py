"""A load that rises and falls, on one uvicorn process: it has the same size all day.

    python ray_serve/03_scaling_baseline.py

First one client, then a burst of requests at once, then a peak of many clients, then one again.
Each request also holds a device that the process uses for one at a time: a sleep stands for it.
Last line: 164 requests in 8.39 s (19.5 requests/s), answer f2e48e64
"""

import functools
import json
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import psutil
import typer
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, FiniteFloat, conlist
from sklearn.datasets import load_digits

from workshop import load, plots, web

FOLDER, TRAIN = Path("out/ray_serve/03_scaling"), 1000
app = web.guarded(FastAPI(title="Digits"))


class Picture(BaseModel):
    id: int
    pixels: conlist(FiniteFloat, min_length=64, max_length=64)


class Label(BaseModel):
    id: int
    label: int


def learned() -> np.ndarray:
    """The mean picture of each digit: a classifier that starts at once, nine in ten are right."""
    pixels, labels = (values[:TRAIN] for values in load_digits(return_X_y=True))
    return np.stack([pixels[labels == digit].mean(0) for digit in range(10)])


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(picture: Picture) -> Label:
    time.sleep(app.state.device_seconds)  # not asyncio.sleep: one request at a time
    distances = ((app.state.means - np.array(picture.pixels)) ** 2).sum(1)
    return Label(id=picture.id, label=distances.argmin())


def serve_app(port: int, device_seconds: float) -> None:
    app.state.means, app.state.device_seconds = learned(), device_seconds
    uvicorn.run(app, host=web.HOST, port=port, log_level="warning")


def main(
    peak: int = 8, clients: int = 8, device_seconds: float = 0.05, port: int = 8000, seed: int = 42
) -> dict:
    """A PEAK of seconds from CLIENTS; --device-seconds is a sleep that stands for a device."""
    if min(peak, clients) < 1 or not 0 <= device_seconds <= 1:
        raise typer.BadParameter("--peak and --clients start at 1; --device-seconds: 0 to 1")
    if seed < 0:
        raise typer.BadParameter("--seed starts at 0")
    web.check_port(port)
    pixels = load_digits().data[np.random.default_rng(seed).integers(TRAIN, 1797, 20)].tolist()
    bodies = [dict(id=number, pixels=one) for number, one in enumerate(pixels)]
    url, burst = f"http://{web.HOST}:{port}/predict", 5 * clients

    with web.running(functools.partial(serve_app, device_seconds=device_seconds), port):
        ready = time.time() - psutil.Process().create_time()
        replicas = [(time.time(), 1)]
        before = load.closed_loop(url, bodies, warm_up=0)
        at_once = load.closed_loop(url, (bodies * burst)[:burst], burst, warm_up=0)
        with load.sustained(url, bodies, clients) as busy:
            time.sleep(peak)
        after = load.closed_loop(url, bodies, warm_up=0)
        replicas.append((time.time(), 1))

    answers = before.answers + at_once.answers + busy.answers + after.answers
    plots.latency(FOLDER / "baseline.png", answers, replicas)
    right = [answer.seconds for answer in at_once.answers if answer.status == 200]
    wrong = [answer.seconds for answer in at_once.failed if answer.status == 503]
    half = [a.sent for a in busy.answers if a.sent > busy.answers[0].sent + peak / 2]
    rate, most = 2 * len(half) / peak, max(count for _, count in replicas)
    said = {(a.body["id"], a.body["label"]) for a in answers if a.status == 200}
    answer = sha256(json.dumps(sorted(said)).encode()).hexdigest()[:8]
    print(f"ready in {ready:.1f} s")
    told = f"{len(wrong)} refused in {max(wrong, default=0):.2f} s"
    print(f"{burst} at once: {len(right)} answered in {max(right):.2f} s, {told}")
    print(f"peak: {most} replicas, {busy.latency}; second half: {rate:.1f} requests/s")
    items, seconds = len(busy.answers), busy.seconds
    print(f"{items} requests in {seconds:.2f} s ({busy.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=items, unit="requests", seconds=seconds, ready_seconds=ready)
    figures |= dict(answer=answer, right=right, wrong=wrong, rate=rate)
    return figures | dict(failed=len(busy.failed), counts=[count for _, count in replicas])


if __name__ == "__main__":
    typer.run(main)
