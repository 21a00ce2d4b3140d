"""The manager wants the number of pixels processed, live. In one thread, a global will do.

    python ray_core/02_actors_baseline.py

Last line: 40 images in 4.01 s (10.0 images/s), answer 1586008
"""

import sys
import time

import numpy as np
import typer
from sklearn.datasets import load_sample_images

pixels = 0


def photographs(images: int, size: int, seed: int) -> list[np.ndarray]:
    """Crops of scikit-learn's two sample photographs, each (side, side, 3) uint8, side <= size."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    sides = rng.integers(size // 2, size, images, endpoint=True)
    return [photos[i % 2][:side, :side].copy() for i, side in enumerate(sides)]


def invert(photo: np.ndarray, seconds: float) -> np.ndarray:
    """Stand-in for a filter that takes SECONDS: it sleeps."""
    global pixels
    time.sleep(seconds)
    pixels += photo.shape[0] * photo.shape[1]
    return 255 - photo


def show(done: int, images: int, pixels: int) -> None:
    end = "\r" if sys.stdout.isatty() and done < images else "\n"
    print(f"{done:3d}/{images} images, {pixels:,} pixels", end=end, flush=True)


def main(images: int = 40, seconds: float = 0.1, size: int = 256, seed: int = 42) -> dict:
    """IMAGES crops of up to SIZE pixels, SECONDS of filter each, and a live count of pixels."""
    if images < 1 or seconds < 0 or not 2 <= size <= 427:
        raise typer.BadParameter("--images starts at 1, --seconds at 0, --size is 2 to 427.")
    photos = photographs(images, size, seed)
    global pixels
    pixels, ready = 0, 0.0

    start = time.perf_counter()
    for done, photo in enumerate(photos, start=1):
        invert(photo, seconds)
        if done % max(1, images // 8) == 0:
            show(done, images, pixels)
    took = time.perf_counter() - start

    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {pixels}")
    return dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=pixels)


if __name__ == "__main__":
    typer.run(main)
