"""Three new versions of a service under load: uvicorn is ended and started again with each.

    python ray_serve/06_rollout_baseline.py

Meanwhile clients go on asking, and each answer tells which version gave it. After each step the
same pictures are sent once more: the answer is the digest of what came back, versions included.
Last line: 302 requests in 6.20 s (48.7 requests/s), answer 51e263b3
"""

import functools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Annotated

import psutil
import torch
import typer
import uvicorn
from fastapi import FastAPI
from pydantic import AfterValidator, Base64Bytes, BaseModel

from workshop import digits, load, web

PAUSE = 0.1  # seconds from an answer to a client's next request

app = web.guarded(FastAPI(title="Digits"))


class Picture(BaseModel):
    id: int
    png: Annotated[Base64Bytes, AfterValidator(digits.as_pixels)]  # (1, 8, 8), 0 to 1


class Label(BaseModel):
    id: int
    label: int
    version: int


@functools.cache
def model(version: int) -> torch.nn.Module:
    return digits.classifier(seed=version)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(picture: Picture) -> Label:
    version = app.state.version
    label = model(version)(picture.png[None]).argmax().item()
    return Label(id=picture.id, label=label, version=version)


def serve_app(version: int, port: int) -> None:
    app.state.version = version
    model(version)
    uvicorn.run(app, host=web.HOST, port=port, log_level="warning")


def tell(step: str, seconds: float, answers: list[load.Answer]) -> None:
    """Which version answered how often during a step, and how many requests failed."""
    by = Counter(each.body["version"] for each in answers if each.status == 200)
    shares = [f"{by[version]} by version {version}" for version in sorted(by)] or ["no answer"]
    failed = f"{len(answers) - by.total()} failed"
    print(f"{step}: {seconds:.1f} s, {', '.join([*shares, failed])}", flush=True)


def steps(server: ExitStack, updates: int, port: int) -> Iterator[tuple[str, bool]]:
    """Makes each step; then what it was, and whether one version alone answers after it."""
    for version in (*range(2, updates + 3), updates + 1):
        server.close()
        server.enter_context(web.running(partial(serve_app, version), port))
        yield f"restart with {version}", True


def main(
    requests: int = 60, updates: int = 1, clients: int = 2, port: int = 8000, seed: int = 42
) -> dict:
    """UPDATES new versions, one on trial, and back; after each step the same REQUESTS."""
    if requests < 1 or updates < 1 or clients < 1:
        raise typer.BadParameter("--requests, --updates and --clients start at 1")
    web.check_port(port)
    pictures, url = digits.requests(requests, seed), f"http://{web.HOST}:{port}/predict"
    for version in range(1, updates + 3):
        digits.cached("convnet", version)

    checks = []
    with ExitStack() as server:
        server.enter_context(web.running(partial(serve_app, 1), port))
        ready = time.time() - psutil.Process().create_time()
        with load.sustained(url, pictures, clients, pause=PAUSE) as traffic:
            begin, before = time.perf_counter(), 0
            for step, pure in steps(server, updates, port):
                tell(step, time.perf_counter() - begin, traffic.answers[before:])
                if pure:
                    checks += load.closed_loop(url, pictures, clients, warm_up=0).answers
                begin, before = time.perf_counter(), len(traffic.answers)

    done, answer = load.Load(traffic.answers + checks, traffic.seconds), load.Load(checks).digest
    items, seconds, failed = len(done.answers), done.seconds, len(done.failed)
    print(f"{failed} of {items} requests failed")
    print(f"ready in {ready:.1f} s")
    print(f"{items} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=items, unit="requests", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, failed=failed)


if __name__ == "__main__":
    typer.run(main)
