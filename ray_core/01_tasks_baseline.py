"""Photographs through a slow filter, the way you would have written it: one at a time, or with
one of the old-fashioned ways to do several at once.

    python ray_core/01_tasks_baseline.py
    python ray_core/01_tasks_baseline.py --method threads

Last line: 8 images in 8.00 s (1.0 images/s), answer 1670655979
"""

import asyncio
import time
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Literal

import numpy as np
import typer
from sklearn.datasets import load_sample_images


def photographs(images: int, size: int, seed: int) -> list[np.ndarray]:
    """Crops of scikit-learn's two sample photographs, each (size, size, 3) uint8."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    corners = rng.integers(0, 427 - size, (images, 2), endpoint=True)
    return [photos[i % 2][y : y + size, x : x + size].copy() for i, (y, x) in enumerate(corners)]


def invert(photo: np.ndarray, seconds: float) -> np.ndarray:
    """Stand-in for a filter that takes SECONDS: it sleeps."""
    time.sleep(seconds)
    return 255 - photo


async def invert_all(photos: list[np.ndarray], seconds: float) -> list[np.ndarray]:
    return await asyncio.gather(*(asyncio.to_thread(invert, photo, seconds) for photo in photos))


def main(
    images: int = 8,
    seconds: float = 1.0,
    size: int = 256,
    cpus: int | None = None,
    seed: int = 42,
    method: Literal["sequential", "threads", "processes", "asyncio"] = "sequential",
) -> dict:
    """IMAGES crops of SIZE pixels, SECONDS of filter each, on CPUS workers (default: all)."""
    if images < 1 or seconds < 0 or not 1 <= size <= 427:
        raise typer.BadParameter("--images starts at 1, --seconds at 0, --size is 1 to 427.")
    photos = photographs(images, size, seed)
    ready = 0.0

    start = time.perf_counter()
    if method == "sequential":
        results = [invert(photo, seconds) for photo in photos]
    elif method == "asyncio":
        results = asyncio.run(invert_all(photos, seconds))
    else:
        pools = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}
        with pools[method](cpus) as pool:
            results = list(pool.map(partial(invert, seconds=seconds), photos))
    took = time.perf_counter() - start

    answer = zlib.crc32(np.stack(results))
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    return dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)


if __name__ == "__main__":
    typer.run(main)
