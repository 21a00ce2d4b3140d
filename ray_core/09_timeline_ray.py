"""Which worker did what, and when? Ray has written it all down: ray.timeline(), drawn as a picture.

    python ray_core/09_timeline_ray.py

Last line: 24 images in 2.33 s (10.3 images/s), answer 67741670,flower-17
"""

import time
from pathlib import Path

import numpy as np
import typer
from matplotlib.figure import Figure
from sklearn.datasets import load_sample_images

import ray  # NEW:


def photographs(images: int, seed: int) -> dict[str, bytes]:
    """Crops of the two sample photographs: one much larger, one that has lost its last byte."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    sides, (large, broken) = rng.integers(90, 100, images), rng.choice(images, 2, replace=False)
    sides[large] = 420
    crops = [photos[i % 2][:side, :side].tobytes() for i, side in enumerate(sides)]
    crops[broken] = crops[broken][:-1]
    return {f"{('temple', 'flower')[i % 2]}-{i}": crop for i, crop in enumerate(crops)}


@ray.remote  # NEW:
def soften(crop: bytes, rounds: int) -> int:
    """The brightness of a photograph after ROUNDS of blur."""
    photo, side = np.frombuffer(crop, np.uint8).astype(int), round((len(crop) / 3) ** 0.5)
    for _ in range(rounds):
        photo = (photo + np.roll(photo, 3) + np.roll(photo, 3 * side)) // 3
    return int(photo.reshape(side, side, 3).sum())


def timeline(names: dict[str, str]) -> list[tuple]:  # NEW:
    """A bar for each of these tasks, named by their ids; Ray hears of them with a delay."""
    bars, deadline = [], time.monotonic() + 30  # NEW:
    while len(bars) < len(names) and time.monotonic() < deadline:  # NEW:
        spans = [(s, names.get(s["args"].get("task_id"))) for s in ray.timeline()]  # NEW:
        bars = [(s["tid"], s["ts"] / 1e6, s["dur"] / 1e6, n) for s, n in spans if n]  # NEW:
    return bars  # NEW:


def gantt(bars: list[tuple], failed: list[str], path: Path) -> None:
    """A row for each worker, a bar for each task: (worker, start, seconds, name)."""
    rows, first = sorted({bar[0] for bar in bars}), min(bar[1] for bar in bars)
    slowest, shown = max(bars, key=lambda bar: bar[2])[3], {}
    colours = dict(temple="tab:blue", flower="tab:orange", slowest="indigo", failed="red")
    axes = Figure(figsize=(8, 1.8 + 0.4 * len(rows)), dpi=180, layout="constrained").subplots()
    for worker, start, seconds, name in bars:
        kind = "failed" if name in failed else "slowest" if name == slowest else name[:6]
        label = kind if kind in name else f"{kind}: {name}"
        look = dict(left=start - first, color=colours[kind], edgecolor="white")
        shown[label] = axes.barh(rows.index(worker), seconds, **look)
    axes.set_yticks(range(len(rows)), [f"worker {i + 1}" for i in range(len(rows))])
    axes.set(xlabel="seconds", title=f"{len(bars)} tasks on {len(rows)} workers")
    names = sorted(shown)
    axes.figure.legend([shown[name] for name in names], names, loc="outside lower center", ncols=4)
    path.parent.mkdir(exist_ok=True)
    axes.figure.savefig(path)


def main(images: int = 24, rounds: int = 500, seed: int = 42) -> dict:
    """IMAGES crops with ROUNDS of blur each, of which one is slow and one fails."""
    if images < 2 or rounds < 1:
        raise typer.BadParameter("--images starts at 2, --rounds at 1.")
    crops = photographs(images, seed)
    start = time.perf_counter()
    ray.init()  # NEW:
    cpus = int(ray.cluster_resources()["CPU"])  # NEW:
    for _ in range(2):  # NEW: warm up: two rounds of tasks start all worker processes
        ray.get([soften.remote(bytes(27_648), rounds) for _ in range(cpus)])  # NEW:
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = time.perf_counter()
    results = {n: soften.remote(c, rounds) for n, c in crops.items()}  # NEW:
    total, failed = 0, []
    for name, result in results.items():
        try:
            total += ray.get(result)  # NEW:
        except ValueError:
            failed.append(name)
    took = time.perf_counter() - start

    bars = timeline({result.task_id().hex(): name for name, result in results.items()})  # NEW:
    picture = Path("out/09_timeline_ray.png")  # NEW:
    gantt(bars, failed, picture)
    print(f"failed: {', '.join(failed)}; who did what, and when: {picture}")
    answer = f"{total},{','.join(failed)}"
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(failed=failed, bars=bars, picture=str(picture))


if __name__ == "__main__":
    typer.run(main)
