"""Photographs measured by Ray Data; a dataset of what was measured, joined with the catalogue of
labels and cameras and aggregated: for tables that one machine cannot hold.

    python ray_data/07_join_groupby_ray.py

Last line: 300 images in 8.92 s (33.6 images/s), answer 2690107877
"""

import os  # NEW:
import random
import sys  # NEW:
import time
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from pyarrow.fs import FileSelector, FileSystem

import ray  # NEW:
from ray.data.aggregate import Count, Sum  # NEW:
from ray.data.expressions import col  # NEW:

KEYS = ["label", "camera"]


def opened(folder: str) -> tuple[FileSystem, str]:
    return FileSystem.from_uri(folder if "://" in folder else Path(folder).resolve().as_uri())


def chosen(folder: str, images: int, seed: int) -> tuple[FileSystem, str, list[str]]:
    """IMAGES of the images in a folder that has its catalogue, a Parquet file, beside it."""
    fs, root = opened(folder.rstrip("/"))
    found = fs.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
    paths = sorted(f.path for f in found if f.path.endswith(".jpg"))
    if not paths or not fs.get_file_info(f"{root}.parquet").is_file:
        raise ValueError(f"no images with a catalogue in {folder}: make samples")
    if not 1 <= images <= len(paths):
        raise ValueError(f"--images is 1 to {len(paths)}: so many are in {folder}")
    return fs, root, random.Random(seed).sample(paths, images)


def measured(path: str, image: np.ndarray, root: str) -> dict:
    return dict(file=path.removeprefix(f"{root}/"), light=int(image.sum(dtype=np.int64)))


def main(
    images: int = 300,
    input: str = "out/samples/images",
    output: str = "out/ray_data/07_join_groupby",
    copies: int = 1,
    seed: int = 42,
) -> dict:
    """Brightness of IMAGES images by label and camera; COPIES of each row make a long table."""
    try:
        fs, root, paths = chosen(input, images, seed)
        target, folder = opened(output)
        target.create_dir(folder, recursive=True)
        if copies < 1:
            raise ValueError("--copies starts at 1")
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None

    start = time.perf_counter()
    os.environ["RAY_DATA_PARQUET_FOOTER_NUM_ACTORS"] = "1"  # NEW: not 32 processes, for one file
    ray.init()  # NEW:
    ray.data.DataContext.get_current().enable_progress_bars = sys.stdout.isatty()  # NEW:
    ray.data.range(16, override_num_blocks=16).map(lambda row: row).materialize()  # NEW: warm-up
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = time.perf_counter()
    read = ray.data.read_images(paths, filesystem=fs, mode="RGB", include_paths=True)  # NEW:
    light = read.map(lambda row: measured(row["path"], row["image"], root)).materialize()  # NEW:
    before = time.perf_counter()
    ds = ray.data.read_parquet(f"{root}.parquet", filesystem=fs)  # NEW:
    ds = ds.join(light, "inner", num_partitions=2, on=("file",))  # NEW:
    ds = ds.map_batches(lambda b: pa.concat_tables([b] * copies), batch_format="pyarrow")  # NEW:
    ds = ds.with_column("pixels", col("width") * col("height"))  # NEW:
    sums = [Sum(name, alias_name=name) for name in ("light", "pixels")]  # NEW:
    ds = ds.groupby(KEYS, num_partitions=2).aggregate(Count(alias_name="images"), *sums)  # NEW:
    ds = ds.with_column("brightness", col("light") / (col("pixels") * 3.0))  # NEW: by 3 it is whole
    table = ds.to_pandas().sort_values(KEYS)  # NEW:
    tables, took = time.perf_counter() - before, time.perf_counter() - start

    file = f"{folder}/brightness.parquet"
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), file, filesystem=target)
    table = pq.read_table(file, filesystem=target).to_pandas()
    print(table.round(1).to_string(index=False))
    print(f"tables: {images * copies} rows joined and aggregated in {tables:.2f} s")
    answer = zlib.crc32(table[[*KEYS, "images", "light", "pixels"]].to_csv(index=False).encode())
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(tables_seconds=tables, table_rows=images * copies)


if __name__ == "__main__":
    typer.run(main)
