"""Many tasks over one large array, on Ray: ray.put stores it once in shared memory, every task
reads it there without a copy, and references pass from task to task, not through the driver.

    python ray_core/03_objects_ray.py

Last line: 16 tasks in 0.20 s (80.0 tasks/s), answer 351335210
"""

import time

import numpy as np
import typer
from sklearn.datasets import load_sample_images

import ray  # NEW:
from ray.util.state import list_objects  # NEW:


def panorama(megabytes: int) -> np.ndarray:
    """Both sample photographs side by side, over and over: (megabytes, 1,000,000) uint8."""
    row = np.concatenate([photo.ravel() for photo in load_sample_images().images])
    return np.resize(row, (megabytes, 1_000_000))


@ray.remote  # NEW:
def brightness(array: np.ndarray, columns: np.ndarray) -> int:
    """Sum of some columns; reads little, but needs the whole array at hand."""
    return int(array[:, columns].sum())


@ray.remote  # NEW:
def read_array(array: np.ndarray, row: int) -> np.ndarray:
    return array[row].astype(np.int64)


@ray.remote  # NEW:
def add(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first + second


@ray.remote  # NEW:
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
    ray.init()  # NEW:
    for _ in range(2):  # NEW: warm up: two rounds of small tasks start all worker processes
        ray.get([total.remote(columns) for _ in range(16)])  # NEW:
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = time.perf_counter()
    stored = ray.put(array)  # NEW:
    results = ray.get([brightness.remote(stored, some) for some in columns])  # NEW:
    first, last = read_array.remote(stored, 0), read_array.remote(stored, -1)  # NEW:
    summed = ray.get(total.remote(add.remote(first, last)))  # NEW: references travel, not arrays
    took = time.perf_counter() - start

    where = ray.get_runtime_context().gcs_address  # NEW: of this Ray, if there are several
    objects = list_objects(where, limit=10_000, raise_on_missing_output=False)  # NEW:
    copies = {o.object_id: o.object_size for o in objects if o.object_size >= array.nbytes}  # NEW:
    print(f"object store: {len(copies)} copy of the array, {sum(copies.values()):,} bytes")  # NEW:
    answer = sum(results) + summed
    print(f"{tasks} tasks in {took:.2f} s ({tasks / took:.1f} tasks/s), answer {answer}")
    figures = dict(items=tasks, unit="tasks", seconds=took, ready_seconds=ready, answer=answer)
    return figures | {"stored_bytes": sum(copies.values())}  # NEW:


if __name__ == "__main__":
    typer.run(main)
