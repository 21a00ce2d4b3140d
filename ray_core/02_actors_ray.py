"""The manager wants the number of pixels processed, live. The counter is an actor: one process,
one memory, to which all tasks report and which the driver reads while they run.

    python ray_core/02_actors_ray.py

Last line, on two cores: 40 images in 2.05 s (19.5 images/s), answer 1586008
"""

import sys
import time

import numpy as np
import typer
from sklearn.datasets import load_sample_images

import ray  # NEW:


@ray.remote(num_cpus=0)  # NEW:
class PixelCounter:  # NEW:
    def __init__(self) -> None:  # NEW:
        self.pixels = 0  # NEW:

    def add(self, pixels: int) -> None:  # NEW:
        self.pixels += pixels  # NEW:

    def total(self) -> int:  # NEW:
        return self.pixels  # NEW:


def photographs(images: int, size: int, seed: int) -> list[np.ndarray]:
    """Crops of scikit-learn's two sample photographs, each (side, side, 3) uint8, side <= size."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    sides = rng.integers(size // 2, size, images, endpoint=True)
    return [photos[i % 2][:side, :side].copy() for i, side in enumerate(sides)]


@ray.remote  # NEW:
def invert(photo: np.ndarray, seconds: float, counter) -> np.ndarray:  # NEW:
    """Stand-in for a filter that takes SECONDS: it sleeps."""
    time.sleep(seconds)
    ray.get(counter.add.remote(photo.shape[0] * photo.shape[1]))  # NEW: counted, then done
    return 255 - photo


def show(done: int, images: int, pixels: int) -> None:
    end = "\r" if sys.stdout.isatty() and done < images else "\n"
    print(f"{done:3d}/{images} images, {pixels:,} pixels", end=end, flush=True)


def main(images: int = 40, seconds: float = 0.1, size: int = 256, seed: int = 42) -> dict:
    """IMAGES crops of up to SIZE pixels, SECONDS of filter each, and a live count of pixels."""
    if images < 1 or seconds < 0 or not 2 <= size <= 427:
        raise typer.BadParameter("--images starts at 1, --seconds at 0, --size is 2 to 427.")
    photos = photographs(images, size, seed)

    start = time.perf_counter()  # NEW:
    ray.init()  # NEW:
    trial, workers = PixelCounter.remote(), int(ray.cluster_resources()["CPU"])  # NEW:
    for _ in range(2):  # NEW: warm up: two rounds of short tasks start all worker processes
        ray.get([invert.remote(photos[0], 0.2, trial) for _ in range(workers)])  # NEW:
    ready = time.perf_counter() - start  # NEW:
    print(f"ready in {ready:.1f} s")  # NEW:

    counter = PixelCounter.remote()  # NEW:
    ray.get(counter.total.remote())  # NEW: answers once its process runs
    start = time.perf_counter()
    pending = [invert.remote(photo, seconds, counter) for photo in photos]  # NEW:
    reads = []  # NEW:
    while pending:  # NEW:
        batch = min(len(pending), max(1, images // 8))  # NEW:
        _, pending = ray.wait(pending, num_returns=batch, fetch_local=False)  # NEW:
        reads.append(ray.get(counter.total.remote()))  # NEW:
        show(images - len(pending), images, reads[-1])
    took = time.perf_counter() - start

    pixels = reads[-1]  # NEW:
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {pixels}")
    return dict(
        items=images, unit="images", seconds=took, ready_seconds=ready, answer=pixels, reads=reads
    )


if __name__ == "__main__":
    typer.run(main)
