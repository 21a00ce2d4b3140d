"""Many tasks over one large array, with a multiprocessing pool: every task gets the array pickled
through a pipe, once more each time.

    python ray_core/03_objects_baseline.py

Last line: 16 tasks in 5.33 s (3.0 tasks/s), answer 351335210
"""

import multiprocessing
import time

import numpy as np
import typer
from sklearn.datasets import load_sample_images


def panorama(megabytes: int) -> np.ndarray:
    """Both sample photographs side by side, over and over: (megabytes, 1,000,000) uint8."""
    row = np.concatenate([photo.ravel() for photo in load_sample_images().images])
    return np.resize(row, (megabytes, 1_000_000))


def brightness(array: np.ndarray, columns: np.ndarray) -> int:
    """Sum of some columns; reads little, but needs the whole array at hand."""
    return int(array[:, columns].sum())


def read_array(array: np.ndarray, row: int) -> np.ndarray:
    return array[row].astype(np.int64)


def add(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first + second


def total(array: np.ndarray) -> int:
    return int(array.sum())


def main(tasks: int = 16, megabytes: int = 100, seed: int = 42) -> dict:
    """TASKS tasks that each look at some columns of one array of MEGABYTES MB."""
    if tasks < 1 or not 1 <= megabytes <= 1000:
        raise typer.BadParameter("--tasks starts at 1, --megabytes is 1 to 1000.")
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 1_000_000, (tasks, 1000))
    array = panorama(megabytes)

    start = time.perf_counter()
    pool = multiprocessing.get_context("spawn").Pool(2)
    pool.map(abs, range(8))
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = time.perf_counter()
    results = pool.starmap(brightness, [(array, some) for some in columns], chunksize=1)
    summed = total(add(read_array(array, 0), read_array(array, -1)))
    took = time.perf_counter() - start
    pool.terminate()

    answer = sum(results) + summed
    print(f"{tasks} tasks in {took:.2f} s ({tasks / took:.1f} tasks/s), answer {answer}")
    figures = dict(items=tasks, unit="tasks", seconds=took, ready_seconds=ready, answer=answer)
    return figures


if __name__ == "__main__":
    typer.run(main)
