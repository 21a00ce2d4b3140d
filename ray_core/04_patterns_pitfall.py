"""Crops of very different sizes through a median filter, with ray.get inside the loop: every task
waits for the one before it, so this is the sequential program again, plus the price of the calls.

    python ray_core/04_patterns_pitfall.py

Last line: 120 images in 5.12 s (23.4 images/s), answer 872730085
"""

import time

import numpy as np
import typer
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_images

import ray


def photographs(images: int, seed: int) -> list[np.ndarray]:
    """Crops of the two sample photographs, 16 to 427 pixels wide: 1 to 700 times the work."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    sides = (16 * (428 / 16) ** rng.random(images)).astype(int)
    return [photos[i % 2][:side, :side].copy() for i, side in enumerate(sides)]


@ray.remote
def smooth(photo: np.ndarray) -> tuple[int, float, float]:
    """The brightness after a median filter, and when the work began and ended."""
    began = time.time()
    smoothed = Image.fromarray(photo).filter(ImageFilter.MedianFilter(9))
    return int(np.asarray(smoothed).sum()), began, time.time()


def main(images: int = 120, seed: int = 42) -> dict:
    """A median filter over IMAGES crops, one task at a time."""
    if images < 1:
        raise typer.BadParameter("--images starts at 1.")
    photos = photographs(images, seed)

    start = time.perf_counter()
    ray.init()
    workers = int(ray.cluster_resources()["CPU"])
    for _ in range(2):
        ray.get([smooth.remote(np.zeros((128, 128), np.uint8)) for _ in range(workers)])
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    answer, order, spans = 0, [], []
    start = time.perf_counter()
    for number, photo in enumerate(photos):
        order.append(number)
        brightness, *span = ray.get(smooth.remote(photo))
        answer += brightness
        spans.append(span)
    took = time.perf_counter() - start

    busy = sum(end - began for began, end in spans)
    print(f"{busy:.2f} s of work in {took:.2f} s: one task at a time, on {workers} CPUs.")
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(order=order, spans=spans)


if __name__ == "__main__":
    typer.run(main)
