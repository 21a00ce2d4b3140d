"""Thumbnails of photographs of which some are broken, with the setting that lets a run survive
errors: max_errored_blocks drops the block of every bad file, good ones with it, and keeps no list.

    python ray_data/04_dirty_pitfall.py

Last line: 200 images in 1.13 s (176.4 images/s), answer 118
"""

import random
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import typer
from pyarrow.fs import FileSelector, FileSystem

import ray


def main(images: int = 200, input: str = "out/samples/dirty", seed: int = 42) -> dict:
    """Thumbnails of IMAGES of the files that INPUT.parquet lists; the answer is how many."""
    try:
        uri = input if "://" in input else Path(input).resolve().as_uri()
        source, root = FileSystem.from_uri(uri)
        listed = pq.read_table(f"{root}.parquet", filesystem=source)["file"].to_pylist()
        files = set(random.Random(seed).sample(listed, images or -1))
    except (OSError, ValueError):
        raise typer.BadParameter(f"{input}.parquet lists no {images} files: make samples") from None

    start = time.perf_counter()
    ray.init()
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = sys.stdout.isatty()
    ray.data.range(16, override_num_blocks=16).map(lambda row: row).materialize()
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")
    context.max_errored_blocks = -1  # any number of them

    start = time.perf_counter()
    found = source.get_file_info(FileSelector(root, recursive=True))
    paths = [f.path for f in found if f.is_file and f.path.removeprefix(f"{root}/") in files]
    options = dict(size=(64, 64), mode="RGB", override_num_blocks=-(-images // 10))
    ds = ray.data.read_images(sorted(paths), filesystem=source, **options)
    kept = [row["image"] for row in ds.iter_rows()]
    took = time.perf_counter() - start

    white = sum(bool((image == 255).all()) for image in kept)
    print(f"{images} in the catalogue, {len(paths)} found, {len(kept)} kept: nobody says which")
    print(f"{white} of those kept are all white")
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {len(kept)}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready)
    return figures | dict(answer=len(kept), found=len(paths), white=white)


if __name__ == "__main__":
    typer.run(main)
