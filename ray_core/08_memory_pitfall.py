"""Arrays in the object store, more of them than fit, and one ray.get for all of them: what it
returns are views into the store, which can spill none of it while they live, nor free it.

    python ray_core/08_memory_pitfall.py

Last line: 60 arrays in 7.30 s (8.2 arrays/s), answer 3041009538
"""

import time
import zlib

import numpy as np
import psutil
import typer
from sklearn.datasets import load_sample_images

import ray
from ray._private.internal_api import get_memory_info_reply, get_state_from_address

STORE = 100_000_000


def array(row: np.ndarray, shift: int, megabytes: int) -> np.ndarray:
    """The photographs from byte SHIFT on, over and over: (megabytes, 1,000,000) uint8."""
    return np.resize(np.roll(row, -shift), (megabytes, 1_000_000))


def rss_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def store_mb() -> np.ndarray:
    """MB in the store now, and how many of them in files for want of room: as in `ray memory`."""
    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    stats = get_memory_info_reply(state).store_stats
    return np.array([stats.object_store_bytes_used, stats.object_store_bytes_fallback]) / 1e6


def wait_for_less(megabytes: float, first: np.ndarray, seconds: float) -> float:
    """MB in the store, as soon as they are fewer or SECONDS are over."""
    deadline = time.monotonic() + seconds
    while (used := (store_mb() - first)[0]) >= megabytes and time.monotonic() < deadline:
        pass
    return used


def main(arrays: int = 60, megabytes: int = 8, seed: int = 42) -> dict:
    """ARRAYS arrays of MEGABYTES MB each, held all at once, then read back all at once."""
    if arrays < 1 or not 1 <= megabytes <= 50:
        raise typer.BadParameter("--arrays starts at 1, --megabytes is 1 to 50.")
    row = np.concatenate([photo.ravel() for photo in load_sample_images().images])
    shifts = np.random.default_rng(seed).integers(0, row.size, arrays)

    start = time.perf_counter()
    try:
        ray.init(object_store_memory=STORE)
    except ValueError:
        ray.init()
    first, capacity = store_mb(), ray.cluster_resources()["object_store_memory"] / 1e6
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")
    before = rss_mb()

    start = time.perf_counter()
    held = [ray.put(array(row, shift, megabytes)) for shift in shifts]
    everything = ray.get(held)
    checksums = [zlib.crc32(one) for one in everything]
    took = time.perf_counter() - start

    peak, (used, in_files) = rss_mb(), store_mb() - first
    del held
    pinned = wait_for_less(used, first, seconds=2)
    del everything
    left = wait_for_less(1, first, seconds=10)

    print(f"{arrays * megabytes} MB read: {used:.0f} MB in a store of {capacity:.0f} MB,", end=" ")
    print(f"{in_files:.0f} MB of it in files")
    print(f"references deleted: {pinned:.0f} MB in the store; views deleted: {left:.0f} MB")
    print(f"this process: RSS {before:.0f} MB before, {peak:.0f} MB at its peak")
    answer = zlib.crc32(np.array(checksums, np.uint32))
    print(f"{arrays} arrays in {took:.2f} s ({arrays / took:.1f} arrays/s), answer {answer}")
    figures = dict(items=arrays, unit="arrays", seconds=took, ready_seconds=ready, answer=answer)
    figures |= dict(before_mb=before, peak_mb=peak, held_mb=arrays * megabytes, store_mb=capacity)
    return figures | dict(used_mb=used, in_files_mb=in_files, pinned_mb=pinned, left_mb=left)


if __name__ == "__main__":
    typer.run(main)
