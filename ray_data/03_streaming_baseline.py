"""Images decoded into a list, then summed up: memory grows with the data.

    python ray_data/03_streaming_baseline.py

Last line: 600 images in 2.94 s (204.1 images/s), answer 3616906731
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
from PIL import Image
from pyarrow.fs import FileSelector, FileSystem

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


def decoded(filesystem: FileSystem, path: str) -> np.ndarray:
    with filesystem.open_input_file(path) as file:
        image = Image.open(file).resize(SIZE, Image.Resampling.BILINEAR)
        return np.asarray(image.convert("RGB"))


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
    print("ready in 0.0 s")
    ready, floor, spilled = 0.0, psutil.Process().memory_info().rss / 1e6, 0.0
    if memory_limit > 0:  # what this process may allocate beyond what it has
        limit = psutil.Process().memory_info().data + memory_limit * 1_000_000
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    start, rows = time.perf_counter(), []
    try:
        for path in paths:
            rows.append(255 - decoded(source, path))
    except MemoryError:
        print(f"--memory-limit was reached at {len(rows)} of {images} images.", file=sys.stderr)
        raise typer.Exit(1) from None
    answer = sum(zlib.crc32(image) for image in rows) % 2**32
    took = time.perf_counter() - start
    done.set()
    draw(np.array(samples), Path(output, "baseline.png"))
    _, driver, tree = np.max(samples, axis=0)
    figures = dict(driver_mb=driver, tree_mb=tree, floor_mb=floor, spilled_mb=spilled)
    print("peaks:", ", ".join(f"{k[:-3]} {v:.0f} MB" for k, v in figures.items()))
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures |= dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures


if __name__ == "__main__":
    typer.run(main)
