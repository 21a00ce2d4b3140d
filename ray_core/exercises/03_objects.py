"""Exercise 3: one large array, many tasks, one copy.

Fill in rows(): store the array once and let one task for each row sum that row.

    make check EX=ray_core/03
"""

import numpy as np

import ray


@ray.remote
def row_sum(array: np.ndarray, row: int) -> int:
    return int(array[row].sum())


def rows(array: np.ndarray) -> list[int]:
    """The sum of every row of the array, in order. Ray runs already when this is called."""
    raise NotImplementedError("put the array once, pass the reference to every task")
