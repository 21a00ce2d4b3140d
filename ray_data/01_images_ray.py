"""Photographs inverted with Ray Data: first a plan, which runs when its result is written: tasks
that read some images each, invert them and write them, side by side.

    python ray_data/01_images_ray.py

Last line: 300 images in 2.87 s (104.5 images/s), answer 2222286707
"""

import random
import sys
import time
import zlib
from pathlib import Path

import typer
from pyarrow.dataset import dataset
from pyarrow.fs import FileSelector, FileSystem

import ray  # NEW:
from ray.data.datasource import FilenameProvider  # NEW:

NAME = "inverted-"  # so begin the files that this script writes, and may replace


def listed(folder: str) -> tuple[FileSystem, str, list[str]]:
    """A folder or bucket: its file system, its path there, and the files below, sorted."""
    uri = folder if "://" in folder else Path(folder).resolve().as_uri()
    filesystem, root = FileSystem.from_uri(uri)
    found = filesystem.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
    return filesystem, root, sorted(f.path for f in found if f.is_file)


def chosen(folder: str, images: int, seed: int) -> tuple[FileSystem, list[str]]:
    filesystem, _, files = listed(folder)
    paths = [path for path in files if path.endswith(".jpg")]
    if not paths:
        raise ValueError(f"no images in {folder}: make samples")
    if not 1 <= images <= len(paths):
        raise ValueError(f"--images is 1 to {len(paths)}: so many are in {folder}")
    return filesystem, random.Random(seed).sample(paths, images)


def digest(filesystem: FileSystem, root: str) -> tuple[int, int]:
    """How many images the Parquet files hold, and the sum of their checksums."""
    batches = dataset(root, filesystem=filesystem).to_batches(["height", "pixels"], batch_size=16)
    checksums = [zlib.crc32(row["pixels"], row["height"]) for b in batches for row in b.to_pylist()]
    return len(checksums), sum(checksums) % 2**32


class Names(FilenameProvider):  # NEW:
    def get_filename_for_task(self, write_uuid: str, task_index: int) -> str:  # NEW:
        return f"{NAME}{write_uuid}-{task_index:06}.parquet"  # NEW:


def invert(row: dict) -> dict:
    image = 255 - row["image"]
    return dict(path=row["path"], height=len(image), width=len(image[0]), pixels=image.tobytes())


def main(
    images: int = 300,
    input: str = "out/samples/images",
    output: str = "out/ray_data/01_images",
    seed: int = 42,
) -> dict:
    """IMAGES photographs of INPUT, inverted, as Parquet files in OUTPUT: paths, s3:// or gs://."""
    try:
        source, paths = chosen(input, images, seed)
        target, root, files = listed(output)
        if foreign := [path for path in files if not Path(path).match(f"{NAME}*.parquet")]:
            raise ValueError(f"--output needs a folder of its own: {foreign[0]} is in it")
        target.create_dir(root, recursive=True)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None

    start = time.perf_counter()
    ray.init()  # NEW:
    ray.data.DataContext.get_current().enable_progress_bars = sys.stdout.isatty()  # NEW:
    ray.data.range(16, override_num_blocks=16).map(lambda row: row).materialize()  # NEW: warm-up
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    start = time.perf_counter()
    ds = ray.data.read_images(paths, filesystem=source, mode="RGB", include_paths=True)  # NEW:
    ds = ds.map(invert)  # NEW:
    print(f"{ds}\nhas run so far: {ds.stats() or 'nothing'}")  # NEW:
    ds.write_parquet(root, filesystem=target, filename_provider=Names(), mode="overwrite")  # NEW:
    took = time.perf_counter() - start

    print(ds.stats())  # NEW:
    rows, answer = digest(target, root)
    print(f"{rows} images in {took:.2f} s ({rows / took:.1f} images/s), answer {answer}")
    return dict(items=rows, unit="images", seconds=took, ready_seconds=ready, answer=answer)


if __name__ == "__main__":
    typer.run(main)
