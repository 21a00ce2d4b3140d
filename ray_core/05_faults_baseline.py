"""Work that crashes, with a process pool: what fails is tried again by hand, and a worker that dies
takes the pool and all finished results along with it, so the run starts over from zero.

    python ray_core/05_faults_baseline.py

Last line: 18 images in 2.56 s (7.0 images/s), answer 353496590
"""

import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import typer
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_images


def photograph(number: int, seed: int) -> np.ndarray:
    photos, rng = load_sample_images().images, np.random.default_rng(seed)
    y, x = rng.integers(0, 427 - 256, (number + 1, 2), endpoint=True)[number]
    return photos[number % 2][y : y + 256, x : x + 256]


def brightness(number: int, seed: int, log: Path) -> int:
    """The brightness after a median filter. Every fifth photograph fails at its first attempt."""
    with log.open("a") as attempts:
        print(number, os.getpid(), file=attempts)
    smoothed = Image.fromarray(photograph(number, seed)).filter(ImageFilter.MedianFilter(9))
    if number % 5 == 0 and log.read_text().split()[::2].count(str(number)) == 1:
        raise OSError(f"photograph {number} failed, as on a flaky disk")
    return int(np.asarray(smoothed).sum())


def smooth(number: int, seed: int, log: Path) -> int:
    try:
        return brightness(number, seed, log)
    except OSError:
        return brightness(number, seed, log)


def main(images: int = 18, kills: int = 2, seed: int = 42) -> dict:
    """A median filter over IMAGES crops, while KILLS of the processes at work are killed."""
    if not 0 <= kills <= min(images - 1, 2):
        raise typer.BadParameter("--images starts at 1, --kills is 0 to 2 and below --images.")
    with TemporaryDirectory() as folder:
        log, ready, done, killed, lost = Path(folder) / "log", 0.0, [], [], []
        start = time.perf_counter()
        while len(done) < images:
            done, due = [], images * (len(killed) + 1) // (kills + 1)
            try:
                with ProcessPoolExecutor() as pool:
                    tasks = [pool.submit(smooth, i, seed, log) for i in range(images)]
                    for task in as_completed(tasks):
                        done.append(task.result())
                        if len(done) == due < images:
                            killed.append(int(log.read_text().split()[-1]))
                            os.kill(killed[-1], signal.SIGKILL)
            except BrokenProcessPool:
                lost.append(len(done))
                print(f"worker {killed[-1]} killed: {lost[-1]} finished images lost, starting over")
        took, answer = time.perf_counter() - start, sum(done)
        attempts = log.read_text().splitlines()

    print(f"{len(attempts)} attempts at {images} images")
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(attempts=attempts, killed=killed, lost=lost)


if __name__ == "__main__":
    typer.run(main)
