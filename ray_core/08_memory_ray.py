"""Arrays in the object store, more of them than fit: ray.put returns a reference, the store spills
what it has no room for to disk, ray.get brings it back, and del of the references frees it.

    python ray_core/08_memory_ray.py

Last line: 60 arrays in 3.90 s (15.4 arrays/s), answer 3041009538
"""

import contextlib
import time
import zlib

import numpy as np
import psutil
import typer
from sklearn.datasets import load_sample_images

import ray  # NEW:
from ray._private.internal_api import get_memory_info_reply, get_state_from_address  # NEW:

STORE = 100_000_000  # NEW: bytes; Ray's own choice would be 30% of the machine's memory


def array(row: np.ndarray, shift: int, megabytes: int) -> np.ndarray:
    """The photographs from byte SHIFT on, over and over: (megabytes, 1,000,000) uint8."""
    return np.resize(np.roll(row, -shift), (megabytes, 1_000_000))


def rss_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def tree_mb() -> float:  # NEW:
    """PSS of this process and all it started: what they share counts once. Linux only."""
    total, me = 0, psutil.Process()  # NEW:
    for process in [me, *me.children(recursive=True)]:  # NEW:
        with contextlib.suppress(psutil.Error, AttributeError):  # NEW:
            total += process.memory_full_info().pss  # NEW:
    return total / 1e6  # NEW:


def store_mb() -> np.ndarray:  # NEW:
    """MB in the store now, spilled and restored so far: the figures of `ray memory`."""
    state = get_state_from_address(ray.get_runtime_context().gcs_address)  # NEW:
    stats = get_memory_info_reply(state).store_stats  # NEW:
    so_far = stats.spilled_bytes_total, stats.restored_bytes_total  # NEW:
    return np.array([stats.object_store_bytes_used, *so_far]) / 1e6  # NEW:


def main(arrays: int = 60, megabytes: int = 8, seed: int = 42) -> dict:
    """ARRAYS arrays of MEGABYTES MB each, held all at once, then read back one by one."""
    if arrays < 1 or not 1 <= megabytes <= 50:
        raise typer.BadParameter("--arrays starts at 1, --megabytes is 1 to 50.")
    row = np.concatenate([photo.ravel() for photo in load_sample_images().images])
    shifts = np.random.default_rng(seed).integers(0, row.size, arrays)

    start = time.perf_counter()  # NEW:
    try:  # NEW:
        ray.init(object_store_memory=STORE)  # NEW:
    except ValueError:  # NEW: a Ray that runs already has one
        ray.init()  # NEW:
    first, capacity = store_mb(), ray.cluster_resources()["object_store_memory"] / 1e6  # NEW:
    ready = time.perf_counter() - start  # NEW:
    print(f"ready in {ready:.1f} s")  # NEW:
    before = peak = rss_mb()
    tree_before = tree_mb()  # NEW:

    start = time.perf_counter()
    held = []
    for shift in shifts:
        held.append(ray.put(array(row, shift, megabytes)))  # NEW:
        peak = max(peak, rss_mb())
    used, on_disk, _ = store_mb() - first  # NEW:
    checksums = []
    for one in held:
        checksums.append(zlib.crc32(ray.get(one)))  # NEW:
        peak = max(peak, rss_mb())
    took = time.perf_counter() - start
    tree, (_, spilled, restored) = tree_mb(), store_mb() - first  # NEW:
    del held, one
    left, deadline = used, time.monotonic() + 10  # NEW:
    while left > 1 and time.monotonic() < deadline:  # NEW:
        left = (store_mb() - first)[0]  # NEW:

    held_mb = arrays * megabytes
    print(f"{held_mb} MB held: {used:.0f} MB in the store, {on_disk:.0f} MB on disk")  # NEW:
    print(f"store of {capacity:.0f} MB: {spilled:.0f} spilled, {restored:.0f} restored")  # NEW:
    print(f"references deleted: {left:.0f} MB in the store")  # NEW:
    print(f"this process: RSS {before:.0f} MB before, {peak:.0f} MB at its peak")
    print(f"with all of Ray's: PSS {tree_before:.0f} MB before, {tree:.0f} MB after")  # NEW:
    answer = zlib.crc32(np.array(checksums, np.uint32))
    print(f"{arrays} arrays in {took:.2f} s ({arrays / took:.1f} arrays/s), answer {answer}")
    figures = dict(items=arrays, unit="arrays", seconds=took, ready_seconds=ready, answer=answer)
    figures |= dict(before_mb=before, peak_mb=peak, held_mb=held_mb)
    figures |= dict(store_mb=capacity, used_mb=used, spilled_mb=spilled)  # NEW:
    return figures | dict(restored_mb=restored, left_mb=left, tree_mb=tree)  # NEW:


if __name__ == "__main__":
    typer.run(main)
