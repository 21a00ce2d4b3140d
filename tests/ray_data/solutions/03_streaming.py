import numpy as np

import ray


def mean_colour(photos: ray.data.Dataset) -> np.ndarray:
    total, pixels = np.zeros(3), 0
    for batch in photos.iter_batches(batch_size=16):
        total += batch["image"].sum(axis=(0, 1, 2), dtype=np.int64)
        pixels += batch["image"][..., 0].size
    return total / pixels
