"""One photograph is slow, one is broken: with a process pool you keep the books on each yourself.

    python ray_core/09_observe_baseline.py

Last line: 24 images in 0.89 s (27.0 images/s), answer 67741670,flower-17
"""

import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import typer
from sklearn.datasets import load_sample_images


def photographs(images: int, seed: int) -> dict[str, bytes]:
    """Crops of the two sample photographs: one much larger, one that has lost its last byte."""
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    sides, (large, broken) = rng.integers(90, 100, images), rng.choice(images, 2, replace=False)
    sides[large] = 420
    crops = [photos[i % 2][:side, :side].tobytes() for i, side in enumerate(sides)]
    crops[broken] = crops[broken][:-1]
    return {f"{('temple', 'flower')[i % 2]}-{i}": crop for i, crop in enumerate(crops)}


def soften(name: str, crop: bytes, rounds: int) -> int:
    """The brightness of a photograph after ROUNDS of blur."""
    print(f"{name}: {len(crop):,} bytes", file=sys.stderr, flush=True)
    photo, side = np.frombuffer(crop, np.uint8).astype(int), round((len(crop) / 3) ** 0.5)
    for _ in range(rounds):
        photo = (photo + np.roll(photo, 3) + np.roll(photo, 3 * side)) // 3
    return int(photo.reshape(side, side, 3).sum())


def observed(name: str, crop: bytes, rounds: int) -> tuple[int, str, float]:
    """What soften returned, the traceback if it failed, and how long it took."""
    start, result, error = time.perf_counter(), 0, ""
    try:
        result = soften(name, crop, rounds)
    except Exception:
        error = traceback.format_exc()
    return result, error, time.perf_counter() - start


def main(images: int = 24, rounds: int = 500, seed: int = 42) -> dict:
    """IMAGES crops with ROUNDS of blur each, of which one is slow and one fails."""
    if images < 2 or rounds < 1:
        raise typer.BadParameter("--images starts at 2, --rounds at 1.")
    crops = photographs(images, seed)
    start = time.perf_counter()
    pool = ProcessPoolExecutor()
    list(pool.map(abs, range(8)))
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = time.perf_counter()
    results = {n: pool.submit(observed, n, c, rounds) for n, c in crops.items()}
    total, failed, seconds = 0, {}, {}
    for name, result in results.items():
        brightness, error, seconds[name] = result.result()
        total += brightness
        if error:
            failed[name] = error
    took = time.perf_counter() - start

    slowest = max(seconds, key=seconds.get)
    count = len(seconds)
    print(*failed.values(), sep="\n", file=sys.stderr)
    print(f"failed: {', '.join(failed)}; slowest: {slowest}, {seconds[slowest]:.2f} s")
    print(f"counted: {count:.0f} photographs")
    answer = f"{total},{','.join(failed)}"
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(failed=failed, slowest=slowest, count=count)


if __name__ == "__main__":
    typer.run(main)
