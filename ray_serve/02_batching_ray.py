"""Many clients and one large model: Ray Serve answers those who wait together, in one batch.

    python ray_serve/02_batching_ray.py

The classifier has 34 million weights, and each batch reads all of them, once.
Last line: 600 requests in 1.26 s (476.6 requests/s), answer b395d7d3
"""

import asyncio  # NEW:
import os  # NEW:
import platform  # NEW:
import time
from typing import Annotated

import psutil
import torch
import typer
from fastapi import FastAPI
from pydantic import AfterValidator, Base64Bytes, BaseModel

import ray  # NEW:
from ray import serve  # NEW:

from workshop import digits, load, web

app = web.guarded(FastAPI(title="Digits"))
HAPROXY = "RAY_SERVE_ENABLE_HA_PROXY"  # NEW: the fast ingress, on Linux; 0 turns it off
DRAIN = "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"  # NEW: the shutdown waits as long


class Picture(BaseModel):
    id: int
    png: Annotated[Base64Bytes, AfterValidator(digits.as_pixels)]  # (1, 8, 8), 0 to 1


class Label(BaseModel):
    id: int
    label: int


@serve.deployment(max_ongoing_requests=64, ray_actor_options={"num_cpus": 0.5})  # NEW:
@serve.ingress(app)  # NEW:
class Digits:  # NEW:
    def __init__(self) -> None:  # NEW:
        self.model = digits.classifier("wide")  # NEW:

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.02)  # NEW:
    async def labels(self, pixels: list[torch.Tensor]) -> list[int]:  # NEW:
        scores = await asyncio.to_thread(self.model, torch.stack(pixels))  # NEW:
        return scores.argmax(1).tolist()  # NEW:

    @app.get("/healthz")
    async def healthz(self) -> dict[str, str]:  # NEW:
        return {"status": "ok"}

    @app.post("/predict")
    async def predict(self, picture: Picture) -> Label:  # NEW:
        label = await self.labels(picture.png)  # NEW:
        return Label(id=picture.id, label=label)


def main(requests: int = 600, clients: int = 32, port: int = 8000, seed: int = 42) -> dict:
    """Sends REQUESTS pictures from CLIENTS clients, each its next one after an answer."""
    if requests < 1 or clients < 1:
        raise typer.BadParameter("--requests and --clients start at 1")
    web.check_port(port)
    pictures = digits.requests(requests, seed)
    digits.cached("wide")

    fast = platform.system() == "Linux" and os.environ.get(HAPROXY) != "0"  # NEW:
    for needed in (8404, 8500, 9101) if fast else ():  # NEW: of HAProxy, besides --port
        web.check_port(needed, f"set {HAPROXY}=0")  # NEW:
    settings = {HAPROXY: str(int(fast)), DRAIN: "1"}  # NEW:
    ray.init(log_to_driver=False, runtime_env=dict(env_vars=settings))  # NEW:
    quiet = dict(enable_access_log=False, log_level="WARNING")  # NEW:
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=quiet)  # NEW:
    try:  # NEW:
        serve.run(Digits.bind(), logging_config=quiet)  # NEW:
        ready = time.time() - psutil.Process().create_time()
        done = load.closed_loop(f"http://{web.HOST}:{port}/predict", pictures, clients, 2 * clients)
    finally:  # NEW:
        serve.shutdown()  # NEW:

    print(f"ready in {ready:.1f} s")
    print(f"{clients} clients: {len(done.failed)} failed; {done.latency}")
    seconds, answer = done.seconds, done.digest
    print(f"{requests} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=requests, unit="requests", seconds=seconds, ready_seconds=ready)
    p50, p95, p99 = (done.percentile(percent) for percent in (50, 95, 99))
    return figures | dict(answer=answer, failed=len(done.failed), p50=p50, p95=p95, p99=p99)


if __name__ == "__main__":
    typer.run(main)
