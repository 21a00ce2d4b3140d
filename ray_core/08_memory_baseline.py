"""Arrays in a list, all of them read back later: the memory of the process grows by every one.

    python ray_core/08_memory_baseline.py

Last line: 60 arrays in 1.15 s (52.0 arrays/s), answer 3041009538
"""

import time
import zlib

import numpy as np
import psutil
import typer
from sklearn.datasets import load_sample_images


def array(row: np.ndarray, shift: int, megabytes: int) -> np.ndarray:
    """The photographs from byte SHIFT on, over and over: (megabytes, 1,000,000) uint8."""
    return np.resize(np.roll(row, -shift), (megabytes, 1_000_000))


def rss_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def main(arrays: int = 60, megabytes: int = 8, seed: int = 42) -> dict:
    """ARRAYS arrays of MEGABYTES MB each, held all at once, then read back one by one."""
    if arrays < 1 or not 1 <= megabytes <= 50:
        raise typer.BadParameter("--arrays starts at 1, --megabytes is 1 to 50.")
    row = np.concatenate([photo.ravel() for photo in load_sample_images().images])
    shifts = np.random.default_rng(seed).integers(0, row.size, arrays)
    ready = 0.0
    before = peak = rss_mb()

    start = time.perf_counter()
    held = []
    for shift in shifts:
        held.append(array(row, shift, megabytes))
        peak = max(peak, rss_mb())
    checksums = []
    for one in held:
        checksums.append(zlib.crc32(one))
        peak = max(peak, rss_mb())
    took = time.perf_counter() - start

    del held, one
    left = rss_mb()

    held_mb = arrays * megabytes
    print(f"{held_mb} MB held, in a list")
    print(f"list deleted: RSS {left:.0f} MB")
    print(f"this process: RSS {before:.0f} MB before, {peak:.0f} MB at its peak")
    answer = zlib.crc32(np.array(checksums, np.uint32))
    print(f"{arrays} arrays in {took:.2f} s ({arrays / took:.1f} arrays/s), answer {answer}")
    figures = dict(items=arrays, unit="arrays", seconds=took, ready_seconds=ready, answer=answer)
    figures |= dict(before_mb=before, peak_mb=peak, held_mb=held_mb)
    return figures | dict(left_mb=left)


if __name__ == "__main__":
    typer.run(main)
