import os

import joblib
import numpy as np

from ray.util.joblib import register_ray


def measure(photo: np.ndarray) -> tuple[int, int]:
    return int(photo.sum()), os.getpid()


def measure_all(batches: list[list[np.ndarray]]) -> list[list[tuple[int, int]]]:
    register_ray()
    with joblib.parallel_backend("ray"), joblib.Parallel(n_jobs=2) as parallel:
        return [parallel(joblib.delayed(measure)(photo) for photo in batch) for batch in batches]
