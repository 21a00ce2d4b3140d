"""A picture of a digit in, its label out: the same FastAPI app on Ray Serve.

    python ray_serve/01_http_ray.py

Typed requests and answers, a health check, and http://127.0.0.1:8000/docs while `--hold` keeps it
up. `ready` is from the command until the service is healthy.
Last line: 400 requests in 3.09 s (129.3 requests/s), answer ec7d3852
"""

import time
from typing import Annotated

import psutil
import typer
from fastapi import FastAPI
from pydantic import AfterValidator, Base64Bytes, BaseModel

import ray  # NEW:
from ray import serve  # NEW:

from workshop import digits, load, web

app = web.guarded(FastAPI(title="Digits"))


class Picture(BaseModel):
    id: int
    png: Annotated[Base64Bytes, AfterValidator(digits.as_pixels)]  # (1, 8, 8), 0 to 1


class Label(BaseModel):
    id: int
    label: int


@serve.deployment(ray_actor_options={"num_cpus": 0.5})  # NEW:
@serve.ingress(app)  # NEW:
class Digits:  # NEW:
    def __init__(self) -> None:  # NEW:
        self.model = digits.classifier()  # NEW:

    @app.get("/healthz")
    async def healthz(self) -> dict[str, str]:  # NEW:
        return {"status": "ok"}

    @app.post("/predict")
    async def predict(self, picture: Picture) -> Label:  # NEW:
        scores = self.model(picture.png[None])  # NEW:
        return Label(id=picture.id, label=scores.argmax().item())


def main(
    requests: int = 400, clients: int = 1, port: int = 8000, hold: bool = False, seed: int = 42
) -> dict:
    """Sends REQUESTS pictures from CLIENTS clients, each its next one after an answer."""
    if requests < 1 or clients < 1:
        raise typer.BadParameter("--requests and --clients start at 1")
    web.check_port(port)
    url, pictures = f"http://{web.HOST}:{port}", digits.requests(requests, seed)
    digits.cached("convnet")

    ray.init(log_to_driver=False)  # NEW:
    quiet = dict(enable_access_log=False, log_level="WARNING")  # NEW:
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=quiet)  # NEW:
    try:  # NEW:
        serve.run(Digits.bind(), logging_config=quiet)  # NEW:
        ready = time.time() - psutil.Process().create_time()
        if hold:
            web.hold(port)
        trivial = load.closed_loop(f"{url}/healthz", pictures, clients, send=load.get)
        done = load.closed_loop(f"{url}/predict", pictures, clients)
    finally:  # NEW:
        serve.shutdown()  # NEW:

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
