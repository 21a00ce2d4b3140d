"""Thumbnails of photographs of which some are broken: Ray Data writes the good ones as they come,
and the others into a quarantine. Killed and started again, it does only what is missing.

    python ray_data/04_dirty_ray.py

Last line: 200 images in 1.60 s (125.0 images/s), answer 1466029816
"""

import random
import sys
import time
import zlib
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import typer
from PIL import Image
from pyarrow.fs import FileSelector, FileSystem

import ray  # NEW:
from ray.data.checkpoint import CheckpointConfig  # NEW:


def opened(folder: str) -> tuple[FileSystem, str]:
    return FileSystem.from_uri(folder if "://" in folder else Path(folder).resolve().as_uri())


def thumbnail(data: bytes) -> bytes:
    image = Image.open(BytesIO(data))
    if image.mode.startswith("I"):  # 16 bits a pixel: convert() would cut off what is above 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB").resize((64, 64)).tobytes()


def examined(source: FileSystem, root: str, file: str) -> dict:
    row, step = dict(file=file, state="good", reason="", pixels=b""), "opened"
    try:
        with source.open_input_file(f"{root}/{file}") as stream:
            data = stream.read()
        step = "decoded"
        return row | dict(pixels=thumbnail(data))
    except Exception as error:  # whatever it is, it concerns this one file
        return row | dict(state="quarantine", reason=f"not {step} ({type(error).__name__})")


def main(
    images: int = 200,
    input: str = "out/samples/dirty",
    output: str = "out/ray_data/04_dirty",
    fail_on_bad: bool = False,
    seed: int = 42,
) -> dict:
    """Thumbnails of IMAGES of the files that INPUT.parquet lists, and a quarantine, in OUTPUT."""
    try:
        (source, root), (target, folder) = opened(input), opened(output)
        listed = pq.read_table(f"{root}.parquet", filesystem=source)["file"].to_pylist()
        files = random.Random(seed).sample(listed, images or -1)
    except (OSError, ValueError):
        raise typer.BadParameter(f"{input}.parquet lists no {images} files: make samples") from None
    rows = f"{folder}/04_dirty_ray"

    start = time.perf_counter()
    ray.init()  # NEW:
    context = ray.data.DataContext.get_current()  # NEW:
    context.enable_progress_bars = sys.stdout.isatty()  # NEW:
    ray.data.range(16, override_num_blocks=16).map(lambda row: row).materialize()  # NEW: warm-up
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")
    start, run = time.perf_counter(), time.time()  # NEW:
    left = f"{rows}_unfinished/{zlib.crc32(repr([root, *files]).encode())}"  # NEW:
    begun = target.get_file_info(FileSelector(left, allow_not_found=True))  # NEW:
    if not begun:  # NEW: a new run overwrites what others left unfinished
        target.delete_dir_contents(f"{rows}_unfinished", missing_dir_ok=True)  # NEW:
    context.checkpoint_config = CheckpointConfig("id", left, override_filesystem=target)  # NEW:
    ds = ray.data.range(images, override_num_blocks=-(-images // 10))  # NEW:
    ds = ds.map(lambda row: row | {"run": run} | examined(source, root, files[row["id"]]))  # NEW:
    mode = "append" if begun else "overwrite"  # NEW:
    ds.write_parquet(rows, filesystem=target, partition_cols=["state"], mode=mode)  # NEW:
    took = time.perf_counter() - start
    table = pq.read_table(rows, filesystem=target).to_pylist()
    done_now = sum(row["run"] == run for row in table)  # NEW:
    print(f"{done_now} done now, {len(table) - done_now} by a run before")  # NEW:
    bad = Counter(row["reason"] for row in table if row["state"] == "quarantine")
    why = "\n".join(f"  {count} {reason}" for reason, count in sorted(bad.items()))
    print(f"{len(table) - bad.total()} good and {bad.total()} in quarantine of {images}:\n{why}")
    values = (repr([row["file"], row["reason"], row["pixels"]]).encode() for row in table)
    answer = sum(map(zlib.crc32, values)) % 2**32
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    if fail_on_bad and bad:
        raise typer.Exit(3)
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(good=len(table) - bad.total(), bad=bad.total(), done_now=done_now)


if __name__ == "__main__":
    typer.run(main)
