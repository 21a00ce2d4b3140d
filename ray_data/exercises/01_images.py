"""Exercise 1: photographs made brighter, as a plan.

Fill in brighter(): a Dataset of the images at these paths, read as RGB, every pixel brighter by
BY, 255 at most (mind that 200 + 60 is 4 in uint8). Its columns are path and image. Nothing may
run yet: whoever gets the plan decides whether it is written, shown or trained on.

    make check EX=ray_data/01
"""

import numpy as np  # noqa: F401

import ray


def brighter(paths: list[str], by: int) -> ray.data.Dataset:
    raise NotImplementedError("read_images has flags for paths and RGB; map takes one row")
