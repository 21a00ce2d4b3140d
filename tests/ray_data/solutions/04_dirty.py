from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import ray


def brightness(data: bytes) -> float:
    return float(np.asarray(Image.open(BytesIO(data)).convert("L")).mean())


def examined(row: dict) -> dict:
    try:
        return row | {"brightness": brightness(Path(row["path"]).read_bytes()), "reason": None}
    except Exception as error:
        return row | {"brightness": None, "reason": type(error).__name__}


def sorted_out(paths: list[str]) -> tuple[ray.data.Dataset, ray.data.Dataset]:
    every = ray.data.from_items([{"path": path} for path in paths]).map(examined).materialize()
    good = every.filter(lambda row: row["reason"] is None)
    return good, every.filter(lambda row: row["reason"] is not None)
