"""Exercise 7: two tables joined, grouped and divided.

Fill in brightness().

    make check EX=ray_data/07
"""

import ray  # noqa: F401
from ray.data import Dataset
from ray.data.aggregate import Count, Sum  # noqa: F401
from ray.data.expressions import col  # noqa: F401


def brightness(catalogue: Dataset, measured: Dataset) -> list[dict]:
    """A row for each label: label, images, brightness.

    catalogue has the columns file, label; measured has file, light, pixels, all whole numbers.
    Only images that are in both count; brightness is the light of all of a label's images divided
    by their pixels, such as 92.75. Ray runs already.
    """
    raise NotImplementedError("join, groupby, aggregate, with_column, take_all")
