"""The colours of a long scan, photographs on white paper: a tile of one flat colour is counted at
once, a large one with detail is split in two. The graph of tasks grows as they report, and a tree
of tasks adds the histograms up: only the last one reaches the driver.

    python ray_core/07_graph_ray.py

Last line: 40 photos in 2.60 s (15.4 photos/s), answer 3845021904
"""

import time
import zlib
from itertools import pairwise

import numpy as np
import typer
from matplotlib.colors import rgb_to_hsv
from sklearn.datasets import load_sample_images

import ray  # NEW:


def scan(photos: int, seed: int) -> np.ndarray:
    """The two sample photographs below each other, with 200 to 800 rows of paper after each."""
    samples, rng = load_sample_images().images, np.random.default_rng(seed)
    paper = [np.full((rows, 640, 3), 255, np.uint8) for rows in rng.integers(200, 800, photos)]
    return np.concatenate([part for i in range(photos) for part in (samples[i % 2], paper[i])])


def colours(pixels: np.ndarray) -> np.ndarray:
    """How many pixels have each hue, saturation and value, in 32x32x32 bins."""
    hsv = np.minimum(rgb_to_hsv(pixels / np.float32(255)) * 32, 31).astype(int)
    bins = (hsv[..., 0] * 32 + hsv[..., 1]) * 32 + hsv[..., 2]
    return np.bincount(bins.ravel(), minlength=32**3)


@ray.remote(num_returns=2)  # NEW:
def measure(sheet: np.ndarray, rows: tuple[int, int], tile: int) -> tuple[list, np.ndarray | None]:
    """The histogram of some rows; or, if they are many and not of one colour, their halves."""
    pixels = sheet[slice(*rows)]
    if (pixels == pixels[0, 0]).all():
        return [], colours(pixels[:1, :1]) * pixels[..., 0].size
    if len(pixels) <= tile:
        return [], colours(pixels)
    return [(rows[0], sum(rows) // 2), (sum(rows) // 2, rows[1])], None


@ray.remote  # NEW:
def add(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first + second


def tree(parts: list[ray.ObjectRef]) -> tuple[ray.ObjectRef, int]:  # NEW:
    """The sum of all parts, added in pairs, then pairs of pairs; and how many levels that took."""
    levels = 0
    while len(parts) > 1:
        pairs = [add.remote(*pair) for pair in zip(parts[::2], parts[1::2], strict=False)]  # NEW:
        parts, levels = pairs + parts[2 * len(pairs) :], levels + 1
    return parts[0], levels


def main(photos: int = 40, tile: int = 256, seed: int = 42) -> dict:
    """A scan of PHOTOS photographs, split where there is detail, down to TILE rows."""
    if photos < 1 or tile < 1:
        raise typer.BadParameter("--photos and --tile start at 1.")
    sheet = scan(photos, seed)
    edges = [*range(0, len(sheet), 2048), len(sheet)]

    start = time.perf_counter()  # NEW:
    ray.init()  # NEW:
    for _ in range(2):  # NEW: warm up: two rounds of tasks start the workers and their imports
        warm = [measure.remote(sheet[:256], (0, 256), 256) for _ in range(8)]  # NEW:
        ray.get([halves for halves, _ in warm])  # NEW:
    ready = time.perf_counter() - start  # NEW:
    print(f"ready in {ready:.1f} s")  # NEW:

    start = time.perf_counter()
    stored = ray.put(sheet)  # NEW:
    looks = [measure.remote(stored, rows, tile) for rows in pairwise(edges)]  # NEW:
    parts, looked = [], 0
    while looks:
        halves, part = looks.pop(0)
        halves = ray.get(halves)  # NEW: row numbers alone: the histogram stays where it is
        looks += [measure.remote(stored, rows, tile) for rows in halves]  # NEW:
        parts += [] if halves else [part]
        looked += 1
    total, levels = tree(parts)  # NEW:
    histogram = ray.get(total)  # NEW: the only one that comes here
    took = time.perf_counter() - start

    print(f"{looked} looks at a tile, {len(parts)} histograms, added up in {levels} levels")
    answer = zlib.crc32(histogram)
    print(f"{photos} photos in {took:.2f} s ({photos / took:.1f} photos/s), answer {answer}")
    figures = dict(items=photos, unit="photos", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(looks=looked, histograms=len(parts), levels=levels)


if __name__ == "__main__":
    typer.run(main)
