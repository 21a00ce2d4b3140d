"""Work that crashes, on Ray: what fails or dies runs again, nothing is lost or counted twice.

    python ray_core/05_faults_ray.py

Last line, on two cores: 18 images in 2.26 s (8.0 images/s), answer 353496590
"""

import json  # NEW:
import os
import signal
import time
from contextlib import redirect_stdout  # NEW:
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import typer
from PIL import Image, ImageFilter
from sklearn.datasets import load_sample_images

import ray  # NEW:


@ray.remote(num_cpus=0, max_restarts=3, max_task_retries=3)  # NEW:
class Adder:  # NEW:
    def __init__(self, file: Path) -> None:  # NEW:
        self.file, self.fresh = file, file.with_suffix(".fresh")  # NEW:
        self.fresh.touch()  # NEW: an error at once where the folder is not on this machine
        self.added = dict(json.loads(file.read_text())) if file.exists() else {}  # NEW:

    def add(self, number: int, brightness: int) -> None:  # NEW:
        self.added[number] = brightness  # NEW: once, even if a task that runs again adds again
        self.fresh.write_text(json.dumps(list(self.added.items())))  # NEW:
        self.fresh.replace(self.file)  # NEW: in one step: the old checkpoint or the new, never half

    def report(self) -> tuple[int, int]:  # NEW:
        return sum(self.added.values()), os.getpid()  # NEW:


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


@ray.remote(max_retries=3, retry_exceptions=True)  # NEW:
def smooth(number: int, seed: int, log: Path, adder) -> float:  # NEW:
    ray.get(adder.add.remote(number, brightness(number, seed, log)), timeout=60)  # NEW:
    return time.time()  # NEW:


def main(images: int = 18, kills: int = 2, seed: int = 42) -> dict:
    """A median filter over IMAGES crops, while KILLS of the processes at work are killed."""
    if not 0 <= kills <= min(images - 1, 2):
        raise typer.BadParameter("--images starts at 1, --kills is 0 to 2 and below --images.")
    start = time.perf_counter()  # NEW:
    with TemporaryDirectory() as folder, redirect_stdout(None), ray.init():  # NEW:
        log, killed, pauses = Path(folder) / "log", [], []  # NEW:
        cpus, trial = int(ray.cluster_resources()["CPU"]), ray.remote(brightness)  # NEW:
        ray.get([trial.remote(1, seed, log) for _ in range(2 * cpus)], timeout=90)  # NEW:
        adder = Adder.remote(Path(folder) / "added.json")  # NEW:
        _, adder_pid = ray.get(adder.report.remote(), timeout=60)  # NEW:
        ready = time.perf_counter() - start  # NEW:
        log.write_text("")  # NEW:
        start = time.perf_counter()
        tasks = [smooth.remote(i, seed, log, adder) for i in range(images)]  # NEW:
        for k, what in enumerate(("worker", "adder")[:kills], start=1):  # NEW:
            while len(begun := log.read_text().split()) // 2 < images * k // (kills + 1):  # NEW:
                if time.perf_counter() > start + 60 + images:  # NEW:
                    raise RuntimeError("too few images have begun: is Ray alive?")  # NEW:
                ray.wait(tasks, num_returns=images, timeout=0.01)  # NEW:
            killed.append((what, int(begun[-1]) if k == 1 else adder_pid, time.time()))  # NEW:
            os.kill(killed[-1][1], signal.SIGKILL)  # NEW:
        ended = ray.get(tasks, timeout=60 + 2 * images)  # NEW:
        answer, adder_pid = ray.get(adder.report.remote(), timeout=60)  # NEW:
        took = time.perf_counter() - start  # NEW:
        attempts = log.read_text().splitlines()
    print(f"ready in {ready:.1f} s")  # NEW:
    for what, pid, moment in killed:  # NEW:
        pauses.append(min(end for end in ended if end > moment) - moment)  # NEW:
        print(f"{what} {pid} killed: next result after {pauses[-1]:.2f} s")  # NEW:
    print(f"{len(attempts)} attempts at {images} images")
    print(f"{images} images in {took:.2f} s ({images / took:.1f} images/s), answer {answer}")
    figures = dict(items=images, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(attempts=attempts, killed=killed, pauses=pauses, adder=adder_pid)  # NEW:


if __name__ == "__main__":
    typer.run(main)
