"""Crops of very different sizes through a median filter, one after another.

    python ray_core/04_patterns_baseline.py

Last line: 120 images in 4.12 s (29.1 images/s), answer 872730085
"""

import time

import numpy as np
import typer
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_images

BATCH = 100


def photographs(images: int, seed: int) -> list[np.ndarray]:
    """Crops of the two sample photographs, 16 to 427 pixels wide: 1 to 700 times the work."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    sides = (16 * (428 / 16) ** rng.random(images)).astype(int)
    return [photos[i % 2][:side, :side].copy() for i, side in enumerate(sides)]


def smooth(photo: np.ndarray) -> tuple[int, float, float]:
    """The brightness after a median filter, and when the work began and ended."""
    began = time.time()
    smoothed = Image.fromarray(photo).filter(ImageFilter.MedianFilter(9))
    return int(np.asarray(smoothed).sum()), began, time.time()


def invert(pixels: list[int]) -> list[int]:
    """Next to no work: what this takes is the price of a call."""
    return [255 - pixel for pixel in pixels]


def price(pixels: list[int], batch: int) -> tuple[float, list[int]]:
    """Microseconds per pixel with BATCH pixels in each call, and the inverted pixels."""
    batches = [pixels[i : i + batch] for i in range(0, len(pixels), batch)]
    start = time.perf_counter()
    results = [invert(some) for some in batches]
    took = time.perf_counter() - start
    return took / len(pixels) * 1e6, [pixel for some in results for pixel in some]


def main(images: int = 120, calls: int = 2000, seed: int = 42) -> dict:
    """A median filter over IMAGES crops, and the price of CALLS tiny calls, also in batches."""
    if images < 1 or calls < 1:
        raise typer.BadParameter("--images and --calls start at 1.")
    photos, ready = photographs(images, seed), 0.0

    answer, order, spans = 0, [], []
    start = time.perf_counter()
    for number, photo in enumerate(photos):
        order.append(number)
        brightness, *span = smooth(photo)
        answer += brightness
        spans.append(span)
    took = time.perf_counter() - start

    pixels = np.resize(photos[0], calls).tolist()
    (alone_us, alone), (batched_us, batched) = price(pixels, 1), price(pixels, BATCH)
    print(f"a tiny call: {alone_us:.1f} us, in batches of {BATCH}: {batched_us:.1f} us")
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    figures |= dict(overhead_us=alone_us, batched_us=batched_us, same=alone == batched)
    return figures | dict(order=order, spans=spans)


if __name__ == "__main__":
    typer.run(main)
