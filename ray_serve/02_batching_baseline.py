"""Many clients and one large model: FastAPI on uvicorn answers one request at a time.

    python ray_serve/02_batching_baseline.py

The classifier has 34 million weights, and each request reads all of them.
Last line: 600 requests in 4.15 s (144.4 requests/s), answer b395d7d3
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
    return digits.classifier("wide")


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(picture: Picture) -> Label:
    label = model()(picture.png[None]).argmax().item()
    return Label(id=picture.id, label=label)


def serve_app(port: int) -> None:
    model()
    uvicorn.run(app, host=web.HOST, port=port, log_level="warning")


def main(requests: int = 600, clients: int = 32, port: int = 8000, seed: int = 42) -> dict:
    """Sends REQUESTS pictures from CLIENTS clients, each its next one after an answer."""
    if requests < 1 or clients < 1:
        raise typer.BadParameter("--requests and --clients start at 1")
    web.check_port(port)
    pictures = digits.requests(requests, seed)
    digits.cached("wide")

    with web.running(serve_app, port):
        ready = time.time() - psutil.Process().create_time()
        done = load.closed_loop(f"http://{web.HOST}:{port}/predict", pictures, clients, 2 * clients)

    print(f"ready in {ready:.1f} s")
    print(f"{clients} clients: {len(done.failed)} failed; {done.latency}")
    seconds, answer = done.seconds, done.digest
    print(f"{requests} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=requests, unit="requests", seconds=seconds, ready_seconds=ready)
    p50, p95, p99 = (done.percentile(percent) for percent in (50, 95, 99))
    return figures | dict(answer=answer, failed=len(done.failed), p50=p50, p95=p95, p99=p99)


if __name__ == "__main__":
    typer.run(main)
