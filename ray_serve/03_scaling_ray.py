"""A load that rises and falls, on Ray Serve: it has as many replicas as the load wants.

    python ray_serve/03_scaling_ray.py

First one client, then a burst of requests at once, then a peak of many clients, then one again.
Each request also holds a device that the replica uses for one at a time: a sleep stands for it.
Last line: 471 requests in 8.18 s (57.6 requests/s), answer f2e48e64
"""

import json
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import psutil
import typer
from fastapi import FastAPI
from pydantic import BaseModel, FiniteFloat, conlist
from sklearn.datasets import load_digits

import ray  # NEW:
from ray import serve  # NEW:

from workshop import load, plots, web

FOLDER, TRAIN = Path("out/ray_serve/03_scaling"), 1000
CPUS, TARGET = 0.4, 2  # NEW: of a replica; the requests that it should have at a time
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


@serve.deployment(ray_actor_options={"num_cpus": CPUS})  # NEW:
@serve.ingress(app)  # NEW:
class Digits:  # NEW:
    def __init__(self, means: np.ndarray, device_seconds: float) -> None:  # NEW:
        self.means, self.device_seconds = means, device_seconds  # NEW:

    @app.get("/healthz")
    async def healthz(self) -> dict[str, str]:  # NEW:
        return {"status": "ok"}

    @app.post("/predict")
    async def predict(self, picture: Picture) -> Label:  # NEW:
        time.sleep(self.device_seconds)  # NEW: not asyncio.sleep, either
        distances = ((self.means - np.array(picture.pixels)) ** 2).sum(1)  # NEW:
        return Label(id=picture.id, label=distances.argmin())


def watch(replicas: list[tuple[float, int]], seconds: float, until: int = 0) -> None:  # NEW:
    """Writes down how many replicas are up, for that long or until there are only UNTIL."""
    end, states = time.monotonic() + seconds, {"RUNNING": until + 1}  # NEW:
    while time.monotonic() < end and sum(states.values()) > until:  # NEW:
        states = serve.status().applications["default"].deployments["Digits"].replica_states  # NEW:
        replicas.append((time.time(), states.get("RUNNING", 0)))  # NEW:
        time.sleep(0.2)  # NEW:


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

    ray.init(log_to_driver=False)  # NEW:
    most, cpus = max(1, clients // TARGET), ray.cluster_resources()["CPU"]  # NEW:
    if most * CPUS > cpus:  # NEW: serve.run would wait for ever
        raise typer.BadParameter(f"{most} replicas want more than Ray's {cpus:.0f} CPUs")  # NEW:
    size = dict(min_replicas=1, max_replicas=most, target_ongoing_requests=TARGET)  # NEW:
    pace = dict(upscale_delay_s=0.5, downscale_delay_s=2, look_back_period_s=1)  # NEW:
    pace |= dict(metrics_interval_s=0.2)  # NEW: the default of 10 s is too slow for a peak of 8 s
    limits = dict(max_ongoing_requests=2 * TARGET, max_queued_requests=clients)  # NEW:
    service = Digits.options(autoscaling_config=size | pace, **limits)  # NEW:
    quietly = dict(enable_access_log=False, log_level="WARNING")  # NEW:
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=quietly)  # NEW:
    try:  # NEW:
        serve.run(service.bind(learned(), device_seconds), logging_config=quietly)  # NEW:
        ready = time.time() - psutil.Process().create_time()
        replicas = [(time.time(), 1)]
        before = load.closed_loop(url, bodies, warm_up=0)
        at_once = load.closed_loop(url, (bodies * burst)[:burst], burst, warm_up=0)
        with load.sustained(url, bodies, clients) as busy:
            watch(replicas, peak)  # NEW:
        after = load.closed_loop(url, bodies, warm_up=0)
        watch(replicas, 60, until=1)  # NEW:
    finally:  # NEW:
        serve.shutdown()  # NEW:

    answers = before.answers + at_once.answers + busy.answers + after.answers
    plots.latency(FOLDER / "ray.png", answers, replicas)  # NEW:
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
