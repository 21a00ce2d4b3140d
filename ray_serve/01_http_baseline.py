"""A picture of a digit in, its label out: FastAPI on uvicorn, one process.

    python ray_serve/01_http_baseline.py

Typed requests and answers, a health check, and http://127.0.0.1:8000/docs while `--hold` keeps it
up. `ready` is from the command until the service is healthy.
Last line: 400 requests in 0.30 s (1313.3 requests/s), answer ec7d3852
"""

import functools
import time
from typing import Annotated

import psutil
import torch
import typer
import uvicorn
from fastapi import FastAPI
from pydantic import AfterValidator, Base64Bytes, BaseModel

from workshop import digits, load, web

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
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(picture: Picture) -> Label:
    scores = model()(picture.png[None])
    return Label(id=picture.id, label=scores.argmax().item())


def serve_app(port: int) -> None:
    model()
    uvicorn.run(app, host=web.HOST, port=port, log_level="warning")


def main(
    requests: int = 400, clients: int = 1, port: int = 8000, hold: bool = False, seed: int = 42
) -> dict:
    """Sends REQUESTS pictures from CLIENTS clients, each its next one after an answer."""
    if requests < 1 or clients < 1:
        raise typer.BadParameter("--requests and --clients start at 1")
    web.check_port(port)
    url, pictures = f"http://{web.HOST}:{port}", digits.requests(requests, seed)
    digits.cached("convnet")

    with web.running(serve_app, port):
        ready = time.time() - psutil.Process().create_time()
        if hold:
            web.hold(port)
        trivial = load.closed_loop(f"{url}/healthz", pictures, clients, send=load.get)
        done = load.closed_loop(f"{url}/predict", pictures, clients)

    print(f"ready in {ready:.1f} s")
    print(f"/healthz: {trivial.rate:.0f} requests/s, {trivial.latency}")
    print(f"/predict: {len(done.failed)} failed, {done.latency}")
    seconds, answer = done.seconds, done.digest
    print(f"{requests} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=requests, unit="requests", seconds=seconds, ready_seconds=ready)
    measured = dict(failed=len(done.failed), p50=done.percentile(50))
    measured |= dict(trivial_p50=trivial.percentile(50), trivial_rate=trivial.rate)
    return figures | dict(answer=answer) | measured


if __name__ == "__main__":
    typer.run(main)
