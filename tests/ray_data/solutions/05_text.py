from collections.abc import Iterable

import numpy as np

import ray
from ray.data import Dataset


def tokenise(batch: dict) -> dict:
    letters = [list(text.ljust(16)[:16].encode()) for text in batch["text"]]
    return {"id": batch["id"], "tokens": np.array(letters, np.int32)}


def tokens(paths: list[str]) -> Dataset:
    ds = ray.data.read_parquet(paths)
    ds = ds.repartition(target_num_rows_per_block=200)
    return ds.map_batches(tokenise)


def batches(ds: Dataset) -> Iterable[dict]:
    return ds.iter_batches(batch_size=32, local_shuffle_buffer_size=400)
