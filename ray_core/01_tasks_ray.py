"""Photographs through a slow filter, on Ray: the function becomes a task, all tasks start at once,
and one ray.get collects the results in order.

    python ray_core/01_tasks_ray.py
    python ray_core/01_tasks_ray.py --cpus 8

Last line, with --cpus 8: 8 images in 1.01 s (7.9 images/s), answer 1670655979
"""

import time
import zlib

import numpy as np
import typer
from sklearn.datasets import load_sample_images

import ray  # NEW:


def photographs(images: int, size: int, seed: int) -> list[np.ndarray]:
    """Crops of scikit-learn's two sample photographs, each (size, size, 3) uint8."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    corners = rng.integers(0, 427 - size, (images, 2), endpoint=True)
    return [photos[i % 2][y : y + size, x : x + size].copy() for i, (y, x) in enumerate(corners)]


@ray.remote  # NEW:
def invert(photo: np.ndarray, seconds: float) -> np.ndarray:
    """Stand-in for a filter that takes SECONDS: it sleeps."""
    time.sleep(seconds)
    return 255 - photo


@ray.remote  # NEW:
def worker_id() -> str:  # NEW:
    time.sleep(0.1)  # NEW:
    return ray.get_runtime_context().get_worker_id()  # NEW:


def main(
    images: int = 8,
    seconds: float = 1.0,
    size: int = 256,
    cpus: int | None = None,
    seed: int = 42,
) -> dict:
    """IMAGES crops of SIZE pixels, SECONDS of filter each, on CPUS workers (default: all)."""
    if images < 1 or seconds < 0 or not 1 <= size <= 427:
        raise typer.BadParameter("--images starts at 1, --seconds at 0, --size is 1 to 427.")
    photos = photographs(images, size, seed)

    start = time.perf_counter()  # NEW:
    ray.init(num_cpus=cpus)  # NEW:
    workers, seen = int(ray.cluster_resources()["CPU"]), set()  # NEW:
    while len(seen) < workers:  # NEW: warm up: small tasks, until every worker has answered
        seen.update(ray.get([worker_id.remote() for _ in range(workers)]))  # NEW:
    ready = time.perf_counter() - start  # NEW:
    print(f"ready in {ready:.1f} s")  # NEW:

    start = time.perf_counter()
    results = ray.get([invert.remote(photo, seconds) for photo in photos])  # NEW:
    took = time.perf_counter() - start

    answer = zlib.crc32(np.stack(results))
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    return dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)


if __name__ == "__main__":
    typer.run(main)
