"""One photograph is slow, one is broken: Ray has traceback, state, times, log and a metric of each.

    python ray_core/09_observe_ray.py

Last line: 24 images in 1.02 s (23.6 images/s), answer 67741670,flower-17
"""

import re
import sys
import time

import numpy as np
import requests
import typer
from sklearn.datasets import load_sample_images

import ray  # NEW:
from ray.util.metrics import Counter  # NEW:
from ray.util.state import get_log, list_tasks  # NEW:


def photographs(images: int, seed: int) -> dict[str, bytes]:
    """Crops of the two sample photographs: one much larger, one that has lost its last byte."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    sides, (large, broken) = rng.integers(90, 100, images), rng.choice(images, 2, replace=False)
    sides[large] = 420
    crops = [photos[i % 2][:side, :side].tobytes() for i, side in enumerate(sides)]
    crops[broken] = crops[broken][:-1]
    return {f"{('temple', 'flower')[i % 2]}-{i}": crop for i, crop in enumerate(crops)}


@ray.remote  # NEW:
def soften(name: str, crop: bytes, rounds: int) -> int:
    """The brightness of a photograph after ROUNDS of blur."""
    print(f"{name}: {len(crop):,} bytes", file=sys.stderr, flush=True)
    tags = {"job": ray.get_runtime_context().get_job_id(), "kind": name.split("-")[0]}  # NEW:
    Counter("photographs", tag_keys=("job", "kind")).inc(tags=tags)  # NEW:
    photo, side = np.frombuffer(crop, np.uint8).astype(int), round((len(crop) / 3) ** 0.5)
    for _ in range(rounds):
        photo = (photo + np.roll(photo, 3) + np.roll(photo, 3 * side)) // 3
    return int(photo.reshape(side, side, 3).sum())


def reports(job: str, names) -> tuple[list, float]:  # NEW:
    """The ended tasks of these names and the counter, as soon as Ray has heard of all of them."""
    line = re.compile(rf'^ray_photographs_total.*"{job}",kind="[tf].* (\S+)$', re.MULTILINE)  # NEW:
    nodes = [n for n in ray.nodes() if n["Alive"]]  # NEW:
    urls = [f"{n['NodeManagerAddress']}:{n['MetricsExportPort']}" for n in nodes]  # NEW:
    tasks, count, deadline = [], 0, time.monotonic() + 60  # NEW:
    while min(len(tasks), count) < len(names) and time.monotonic() < deadline:  # NEW:
        found = list_tasks(filters=[("job_id", "=", job)], detail=True, limit=10_000)  # NEW:
        ended = [t for t in found if t.start_time_ms and t.end_time_ms and t.task_log_info]  # NEW:
        tasks = [t for t in ended if t.name in names and t.task_log_info.get("stderr_end")]  # NEW:
        pages = [requests.get(f"http://{url}/metrics", timeout=10).text for url in urls]  # NEW:
        count = sum(float(value) for page in pages for value in line.findall(page))  # NEW:
        time.sleep(0.2)  # NEW:
    return tasks, count  # NEW:


def main(images: int = 24, rounds: int = 500, seed: int = 42) -> dict:
    """IMAGES crops with ROUNDS of blur each, of which one is slow and one fails."""
    if images < 2 or rounds < 1:
        raise typer.BadParameter("--images starts at 2, --rounds at 1.")
    crops = photographs(images, seed)
    start = time.perf_counter()
    url = f"http://{ray.init().dashboard_url}"  # NEW:
    job, cpus = ray.get_runtime_context().get_job_id(), int(ray.cluster_resources()["CPU"])  # NEW:
    for _ in range(2):  # NEW: warm up: two rounds of tasks start all worker processes
        ray.get([soften.remote("warm-up", bytes(27_648), rounds) for _ in range(cpus)])  # NEW:
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = time.perf_counter()
    results = {n: soften.options(name=n).remote(n, c, rounds) for n, c in crops.items()}  # NEW:
    total, failed = 0, {}
    for name, result in results.items():
        try:  # NEW:
            total += ray.get(result)  # NEW:
        except ray.exceptions.RayTaskError as error:  # NEW:
            failed[name] = str(error)  # NEW:
    took = time.perf_counter() - start

    tasks, count = reports(job, crops)  # NEW:
    seconds = {t.name: (t.end_time_ms - t.start_time_ms) / 1000 for t in tasks}  # NEW:
    slowest = max(seconds, key=seconds.get)
    broken = [t.task_id for t in tasks if t.state == "FAILED"]  # NEW:
    log = "".join(x for one in broken for x in get_log(task_id=one, suffix="err")).strip()  # NEW:
    codes = [requests.get(url + at, timeout=9).status_code for at in ("/", "/api/jobs/")]  # NEW:
    print(*failed.values(), sep="\n", file=sys.stderr)
    print(f"failed: {', '.join(failed)}; slowest: {slowest}, {seconds[slowest]:.2f} s")
    print(f"counted: {count:.0f} photographs; {len(broken)} task FAILED, its log: {log}")  # NEW:
    print(f"{url} answers {codes[0]}, its API without a token {codes[1]}")  # NEW:
    answer = f"{total},{','.join(failed)}"
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(failed=failed, slowest=slowest, count=count, log=log, codes=codes)  # NEW:


if __name__ == "__main__":
    typer.run(main)
