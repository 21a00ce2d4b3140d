"""Exercise 6: joblib on Ray, over several batches, without new workers for every batch.

measure_all() works, but in joblib's own processes. Move it to Ray, as in the lesson: two new lines
and a backend. Then look again: every `joblib.Parallel(...)(tasks)` starts workers of its own and
ends them. As a context manager, `with joblib.Parallel(...) as parallel:`, it keeps them for every
`parallel(tasks)` inside.

    make check EX=ray_core/06
"""

import os

import joblib
import numpy as np


def measure(photo: np.ndarray) -> tuple[int, int]:
    """The brightness of a photograph, and the process that measured it."""
    return int(photo.sum()), os.getpid()


def measure_all(batches: list[list[np.ndarray]]) -> list[list[tuple[int, int]]]:
    """What measure() returns for every photograph of every batch. Ray runs already."""
    results = []
    for batch in batches:
        tasks = [joblib.delayed(measure)(photo) for photo in batch]
        with joblib.parallel_backend("loky"):
            results.append(joblib.Parallel(n_jobs=2)(tasks))
    return results
