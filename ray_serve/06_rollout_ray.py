"""Three new versions of a service under load: Serve starts new replicas before it ends old ones.

    python ray_serve/06_rollout_ray.py

Meanwhile clients go on asking, and each answer tells which version gave it. After each step the
same pictures are sent once more: the answer is the digest of what came back, versions included.
Last line: 416 requests in 15.48 s (26.9 requests/s), answer 51e263b3
"""

import random  # NEW:
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path  # NEW:
from typing import Annotated

import psutil
import torch
import typer
from fastapi import FastAPI
from pydantic import AfterValidator, Base64Bytes, BaseModel

import ray  # NEW:
from ray import serve  # NEW:
from ray.dashboard.modules.serve.sdk import ServeSubmissionClient  # NEW:

from workshop import digits, load, web

PAUSE = 0.1  # seconds from an answer to a client's next request
QUIET = dict(enable_access_log=False, log_level="WARNING")  # NEW:
SMALL = dict(num_cpus=0.2)  # NEW: a rolling update has four replicas for a while

app = web.guarded(FastAPI(title="Digits"))


class Picture(BaseModel):
    id: int
    png: Annotated[Base64Bytes, AfterValidator(digits.as_pixels)]  # (1, 8, 8), 0 to 1


class Label(BaseModel):
    id: int
    label: int
    version: int


@serve.deployment(num_replicas=2, max_surge_percent=100, ray_actor_options=SMALL)  # NEW:
class Digits:  # NEW:
    def __init__(self, version: int) -> None:  # NEW:
        self.version, self.model = version, digits.classifier(seed=version)  # NEW:

    def __call__(self, pixels: torch.Tensor) -> dict:  # NEW:
        return dict(label=self.model(pixels[None]).argmax().item(), version=self.version)  # NEW:


@serve.deployment(ray_actor_options=SMALL)  # NEW:
@serve.ingress(app)  # NEW:
class Split:  # NEW:
    def reconfigure(self, weights: dict[str, int]) -> None:  # NEW:
        self.versions = [serve.get_app_handle(name) for name in weights]  # NEW:
        self.weights = list(weights.values())  # NEW:

    @app.get("/healthz")
    async def healthz(self) -> dict[str, str]:  # NEW:
        return {"status": "ok"}

    @app.post("/predict")
    async def predict(self, picture: Picture) -> Label:  # NEW:
        (version,) = random.choices(self.versions, self.weights)  # NEW:
        return Label(id=picture.id, **await version.remote(picture.png))  # NEW:


split = Split.bind()  # NEW:


def tell(step: str, seconds: float, answers: list[load.Answer]) -> None:
    """Which version answered how often during a step, and how many requests failed."""
    by = Counter(each.body["version"] for each in answers if each.status == 200)
    shares = [f"{by[version]} by version {version}" for version in sorted(by)] or ["no answer"]
    failed = f"{len(answers) - by.total()} failed"
    print(f"{step}: {seconds:.1f} s, {', '.join([*shares, failed])}", flush=True)


def weigh(dashboard: ServeSubmissionClient, **weights: int) -> None:  # NEW:
    """As `serve deploy` does it: where only user_config is new, Serve calls reconfigure()."""
    front = dict(import_path=f"{Path(__file__).stem}:split", logging_config=QUIET)  # NEW:
    front |= dict(name="front", deployments=[dict(name="Split", user_config=weights)])  # NEW:
    dashboard.deploy_applications(dict(applications=[front]))  # NEW:
    while (now := serve.status().applications["front"]).status != "RUNNING":  # NEW:
        if now.status == "DEPLOY_FAILED":  # NEW:
            raise RuntimeError(now.message)  # NEW:
        time.sleep(0.05)  # NEW:


def steps(dashboard: ServeSubmissionClient, updates: int) -> Iterator[tuple[str, bool]]:  # NEW:
    """Makes each step; then what it was, and whether one version alone answers after it."""
    inner, new = dict(route_prefix=None, logging_config=QUIET), updates + 2  # NEW:
    for version in range(2, new):  # NEW:
        serve.run(Digits.bind(version), name="stable", **inner)  # NEW:
        yield f"rolling update to {version}", True  # NEW:
    serve.run(Digits.options(num_replicas=1).bind(new), name="canary", **inner)  # NEW:
    yield f"start of {new}", False  # NEW:
    weigh(dashboard, stable=90, canary=10)  # NEW:
    time.sleep(2)  # NEW: its trial
    yield f"10% to {new}", False  # NEW:
    weigh(dashboard, canary=100)  # NEW:
    yield f"all to {new}", True  # NEW:
    weigh(dashboard, stable=100)  # NEW:
    yield f"back to {new - 1}", True  # NEW:


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
    address = ray.init(log_to_driver=False).dashboard_url  # NEW:
    dashboard = ServeSubmissionClient(f"http://{address}")  # NEW:
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=QUIET)  # NEW:
    try:  # NEW:
        serve.run(Digits.bind(1), name="stable", route_prefix=None, logging_config=QUIET)  # NEW:
        weigh(dashboard, stable=100)  # NEW:
        ready = time.time() - psutil.Process().create_time()
        with load.sustained(url, pictures, clients, pause=PAUSE) as traffic:
            begin, before = time.perf_counter(), 0
            for step, pure in steps(dashboard, updates):  # NEW:
                tell(step, time.perf_counter() - begin, traffic.answers[before:])
                if pure:
                    checks += load.closed_loop(url, pictures, clients, warm_up=0).answers
                begin, before = time.perf_counter(), len(traffic.answers)
    finally:  # NEW:
        serve.shutdown()  # NEW:

    done, answer = load.Load(traffic.answers + checks, traffic.seconds), load.Load(checks).digest
    items, seconds, failed = len(done.answers), done.seconds, len(done.failed)
    print(f"{failed} of {items} requests failed")
    print(f"ready in {ready:.1f} s")
    print(f"{items} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=items, unit="requests", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, failed=failed)


if __name__ == "__main__":
    typer.run(main)
