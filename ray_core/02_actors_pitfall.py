"""The manager wants the number of pixels processed, and someone put @ray.remote on the function
that counts in a global. Every worker process has a global of its own: the driver's stays at 0.

    python ray_core/02_actors_pitfall.py

Last line, on two cores: 40 images in 2.04 s (19.6 images/s), answer 0
"""

import time

import numpy as np
import typer
from sklearn.datasets import load_sample_images

import ray

pixels = 0


def photographs(images: int, size: int, seed: int) -> list[np.ndarray]:
    """Crops of scikit-learn's two sample photographs, each (side, side, 3) uint8, side <= size."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    sides = rng.integers(size // 2, size, images, endpoint=True)
    return [photos[i % 2][:side, :side].copy() for i, side in enumerate(sides)]


@ray.remote
def invert(photo: np.ndarray, seconds: float) -> np.ndarray:
    """Stand-in for a filter that takes SECONDS: it sleeps."""
    global pixels
    time.sleep(seconds)
    pixels += photo.shape[0] * photo.shape[1]
    return 255 - photo


def main(images: int = 40, seconds: float = 0.1, size: int = 256, seed: int = 42) -> dict:
    """IMAGES crops of up to SIZE pixels, SECONDS of filter each, and a count that stays at 0."""
    if images < 1 or seconds < 0 or not 2 <= size <= 427:
        raise typer.BadParameter("--images starts at 1, --seconds at 0, --size is 2 to 427.")
    photos = photographs(images, size, seed)

    start = time.perf_counter()
    ray.init()
    workers = int(ray.cluster_resources()["CPU"])
    for _ in range(2):
        ray.get([invert.remote(photos[0], 0.2) for _ in range(workers)])
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = time.perf_counter()
    ray.get([invert.remote(photo, seconds) for photo in photos])
    took = time.perf_counter() - start

    print(f"The driver counts {pixels} pixels: each worker process counted in its own copy of it.")
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {pixels}")
    return dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=pixels)


if __name__ == "__main__":
    typer.run(main)
