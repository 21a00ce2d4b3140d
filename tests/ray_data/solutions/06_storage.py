import ray


def mean(row: dict) -> dict:
    return dict(path=row["path"], brightness=float(row["image"].mean()))


def measure(source: str, target: str) -> None:
    ds = ray.data.read_images(source, mode="RGB", include_paths=True)
    ds.map(mean).write_parquet(target, mode="overwrite")
