"""Many tasks over one large array, without ray.put: the array itself is the argument, so Ray stores
it once for every call, and the driver copies 100 MB sixteen times.

    python ray_core/03_objects_pitfall.py

Last line: 16 tasks in 1.40 s (11.4 tasks/s), answer 351335210
"""

import time

import numpy as np
import typer
from sklearn.datasets import load_sample_images

import ray


def panorama(megabytes: int) -> np.ndarray:
    """Both sample photographs side by side, over and over: (megabytes, 1,000,000) uint8."""
    row = np.concatenate([photo.ravel() for photo in load_sample_images().images])
    return np.resize(row, (megabytes, 1_000_000))


@ray.remote
def brightness(array: np.ndarray, columns: np.ndarray) -> int:
    """Sum of some columns; reads little, but needs the whole array at hand."""
    return int(array[:, columns].sum())


@ray.remote
def read_array(array: np.ndarray, row: int) -> np.ndarray:
    return array[row].astype(np.int64)


def main(tasks: int = 16, megabytes: int = 100, seed: int = 42) -> dict:
    """TASKS tasks that each look at some columns of one array of MEGABYTES MB."""
    if tasks < 1 or not 1 <= megabytes <= 1000:
        raise typer.BadParameter("--tasks starts at 1, --megabytes is 1 to 1000.")
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 1_000_000, (tasks, 1000))
    array = panorama(megabytes)

    start = time.perf_counter()
    ray.init()
    for _ in range(2):
        ray.get([brightness.remote(array[:, :10], np.arange(10)) for _ in range(8)])
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = time.perf_counter()
    results = ray.get([brightness.remote(array, some) for some in columns])
    first, last = ray.get([read_array.remote(array, 0), read_array.remote(array, -1)])
    summed = int((first + last).sum())
    took = time.perf_counter() - start

    print(
        f"Each of the {tasks} calls copied all {array.nbytes / 1e6:.0f} MB into the object store."
    )
    answer = sum(results) + summed
    print(f"{tasks} tasks in {took:.2f} s ({tasks / took:.1f} tasks/s), answer {answer}")
    return dict(items=tasks, unit="tasks", seconds=took, ready_seconds=ready, answer=answer)


if __name__ == "__main__":
    typer.run(main)
