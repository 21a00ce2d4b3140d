"""Edges of many photographs, on Ray: as many machines as the cluster has, and not one word in
here about them. The same file runs on a laptop, joins a cluster, and is submitted to one.

    python ray_core/10_cluster_ray.py
    RAY_ADDRESS=... RAY_AUTH_MODE=token python ray_core/10_cluster_ray.py --images 200

Last line, on two cores: 20 images in 5.09 s (3.9 images/s), answer 3711307361
"""

import platform
import time
import zlib
from collections import Counter

import numpy as np
import typer
from sklearn.datasets import load_sample_images

import ray  # NEW:


def photographs(images: int, size: int, seed: int) -> list[np.ndarray]:
    """Crops of scikit-learn's two sample photographs, each (size, size, 3) uint8."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    corners = rng.integers(0, 427 - size, (images, 2), endpoint=True)
    return [photos[i % 2][y : y + size, x : x + size].copy() for i, (y, x) in enumerate(corners)]


def place() -> str:
    """Where this runs."""
    node = ray.get_runtime_context().get_node_id()  # NEW:
    return f"{platform.node()} {ray.util.get_node_ip_address()}, node {node[:8]}"  # NEW:


@ray.remote(scheduling_strategy="SPREAD")  # NEW: the default packs nodes first
def edges(photo: np.ndarray, seconds: float) -> tuple[str, np.ndarray]:
    """The photograph's edges, and where they were found; sleeps SECONDS, as a slow filter would."""
    time.sleep(seconds)
    return place(), np.abs(np.diff(photo.astype(np.int16), axis=0)).astype(np.uint8)


@ray.remote(scheduling_strategy="SPREAD")  # NEW:
def worker_id() -> str:  # NEW:
    time.sleep(0.1)  # NEW:
    return ray.get_runtime_context().get_worker_id()  # NEW:


def main(images: int = 20, seconds: float = 0.5, size: int = 256, seed: int = 42) -> dict:
    """IMAGES crops of SIZE pixels, at least SECONDS each, on all the CPUs there are."""
    if images < 1 or seconds < 0 or not 2 <= size <= 427:
        raise typer.BadParameter("--images starts at 1, --seconds at 0, --size is 2 to 427.")
    photos = photographs(images, size, seed)

    start = time.perf_counter()
    ray.init()  # NEW:
    workers, seen = int(ray.cluster_resources()["CPU"]), set()  # NEW:
    while len(seen) < workers and time.perf_counter() - start < 60:  # NEW: warm up all workers
        seen.update(ray.get([worker_id.remote() for _ in range(workers)]))  # NEW:
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = then = time.perf_counter()
    tasks = [edges.remote(photo, seconds) for photo in photos]  # NEW:
    waiting = tasks  # NEW:
    for done in range(1, images + 1):  # NEW:
        _, waiting = ray.wait(waiting, fetch_local=False)  # NEW:
        if done % 10 == 0:
            now = time.perf_counter()
            print(f"{done:3d}/{images} images, {10 / (now - then):.1f} images/s", flush=True)
            then = now
    results = ray.get(tasks)  # NEW:
    took = time.perf_counter() - start

    placed = Counter(where for where, _ in results)
    for where, count in sorted(placed.items()):
        print(f"{count:3d} images on {where}")
    answer = zlib.crc32(np.stack([found for _, found in results]))
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | {"placed": placed}


if __name__ == "__main__":
    typer.run(main)
