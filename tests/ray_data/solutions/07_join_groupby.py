from ray.data import Dataset
from ray.data.aggregate import Count, Sum
from ray.data.expressions import col


def brightness(catalogue: Dataset, measured: Dataset) -> list[dict]:
    ds = catalogue.join(measured, "inner", num_partitions=2, on=("file",))
    sums = [Sum(name, alias_name=name) for name in ("light", "pixels")]
    ds = ds.groupby("label", num_partitions=2).aggregate(Count(alias_name="images"), *sums)
    return ds.with_column("brightness", col("light") * 1.0 / col("pixels")).take_all()
