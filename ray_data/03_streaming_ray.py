"""Images decoded and summed up as a stream, never more of them at once than there is room for.

    python ray_data/03_streaming_ray.py

Last line: 600 images in 6.89 s (87.1 images/s), answer 3616906731
"""

import contextlib
import random
import resource
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import psutil
import typer
from pyarrow.fs import FileSelector, FileSystem

import ray  # NEW:
from ray._private.internal_api import get_memory_info_reply, get_state_from_address  # NEW:

SIZE = (512, 512)  # of every decoded image: 0.79 MB


def watch(samples: list[tuple], done: threading.Event) -> None:
    """Samples seconds, MB of this process (RSS), MB of it and all it started (PSS; Linux only)."""
    start, me = time.perf_counter(), psutil.Process()
    while not done.wait(0.25 if samples[1:] else 0):
        driver, tree = me.memory_info().rss / 1e6, 0
        for process in [me, *me.children(recursive=True)]:
            with contextlib.suppress(psutil.Error, AttributeError):
                tree += process.memory_full_info().pss / 1e6
        samples.append((time.perf_counter() - start, driver, tree))


def draw(samples: np.ndarray, file: Path) -> None:
    from matplotlib.figure import Figure  # not earlier: it takes memory itself

    axes = Figure((8, 4)).add_subplot(title=file.stem, xlabel="seconds", ylabel="MB")
    axes.plot(samples[:, 0], samples[:, 1:], label=["this process (RSS)", "all processes (PSS)"])
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(file)


def spilled_mb() -> float:  # NEW:
    state = get_state_from_address(ray.get_runtime_context().gcs_address)  # NEW:
    return get_memory_info_reply(state).store_stats.spilled_bytes_total / 1e6  # NEW:


def main(
    images: int = 600,
    input: str = "out/samples/images",
    output: Path = Path("out/ray_data/03_streaming"),
    memory_limit: int = 0,
    seed: int = 42,
) -> dict:
    """IMAGES photographs, INPUT's over and over; OUTPUT gets a picture of the memory in use."""
    source, root = FileSystem.from_uri(input if "://" in input else Path(input).resolve().as_uri())
    found = source.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
    files = sorted(f.path for f in found if f.path.endswith(".jpg"))
    if images < 1 or not files:
        raise typer.BadParameter(f"--images starts at 1; {len(files)} are in {input}: make samples")
    paths = random.Random(seed).choices(files, k=images)
    samples, done = [(0, 0, 0)], threading.Event()
    threading.Thread(target=watch, args=(samples, done), daemon=True).start()
    start, context = time.perf_counter(), ray.data.DataContext.get_current()  # NEW:
    context.enable_progress_bars = sys.stdout.isatty()  # NEW:
    context.target_max_block_size = 4_000_000  # NEW: bytes; Ray's own choice would be 128 MiB
    try:  # NEW:
        ray.init(object_store_memory=200_000_000)  # NEW:
    except ValueError:  # NEW: a Ray that runs already has its store
        ray.init()  # NEW:
    if memory_limit > 0:  # what this process may allocate beyond what it has
        limit = psutil.Process().memory_info().data + memory_limit * 1_000_000
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    ray.data.range(16, override_num_blocks=16).map(lambda row: row).materialize()  # NEW: warm-up
    ready, floor, spilled = time.perf_counter() - start, samples[-1][2], -spilled_mb()  # NEW:
    print(f"ready in {ready:.1f} s")
    start = time.perf_counter()
    ds = ray.data.read_images(paths, filesystem=source, size=SIZE, mode="RGB")  # NEW:
    ds = ds.map_batches(lambda batch: {"image": 255 - batch["image"]}, batch_size=None)  # NEW:
    batches = ds.iter_batches(batch_size=16)  # NEW:
    answer = sum(zlib.crc32(image) for batch in batches for image in batch["image"]) % 2**32  # NEW:
    took, spilled = time.perf_counter() - start, spilled + spilled_mb()  # NEW:
    done.set()
    draw(np.array(samples), Path(output, "ray.png"))
    _, driver, tree = np.max(samples, axis=0)
    figures = dict(driver_mb=driver, tree_mb=tree, floor_mb=floor, spilled_mb=spilled)
    print("peaks:", ", ".join(f"{k[:-3]} {v:.0f} MB" for k, v in figures.items()))
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures |= dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures


if __name__ == "__main__":
    typer.run(main)
