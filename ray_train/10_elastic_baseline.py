"""A machine is lost while it trains: torchrun has a fixed world size, and ends with it.

    python ray_train/10_elastic_baseline.py
    python ray_train/10_elastic_baseline.py --rejoin --epochs 40      and a machine comes back

kill -9 of a process plays the loss of its machine. Somebody has to notice and start the run again
with one process less, from the last checkpoint; here the script does, in the same second.
Last line: 5632 samples in 8.75 s (643.4 samples/s), answer 2978680163
"""

import os
import shutil
import signal
import time
import zlib
from itertools import groupby
from pathlib import Path
from threading import Thread

import numpy as np
import psutil
import torch
import torch.distributed as dist
import typer
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import nn
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher import LaunchConfig, elastic_launch
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

BATCH, SAMPLES, LOST, BACK = 128, 1408, 1, 3  # a machine is lost in epoch LOST, and back in BACK
FOLDER = Path("out/ray_train/10_elastic/baseline").absolute()
STEPS = FOLDER / "steps"  # a line for each


def images(seed: int) -> TensorDataset:
    """SAMPLES of the digits: pixels (1, 32, 32), labels, and their numbers in the whole set."""
    digits, chosen = load_digits(), np.random.default_rng(seed).permutation(1797)[:SAMPLES]
    pixels = torch.tensor(digits.images[chosen])[:, None].float() / 16
    pixels = nn.functional.interpolate(pixels, (32, 32))
    return TensorDataset(pixels, torch.tensor(digits.target[chosen]), torch.tensor(chosen))


def train(config: dict) -> dict:
    """One worker: goes on after the last whole epoch, with as many workers as there are now."""
    dist.init_process_group("nccl" if config["gpu"] else "gloo")
    workers, rank = dist.get_world_size(), dist.get_rank()
    device = torch.device("cuda", rank) if config["gpu"] else torch.device("cpu")
    data, saved = images(config["seed"]), FOLDER / "state.pt"
    torch.manual_seed(config["seed"])
    convs = [nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5), nn.ReLU()]
    net = nn.Sequential(*convs, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1600, 10)).to(device)
    model = DistributedDataParallel(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
    rows = []  # for each epoch, which of the 1797 digits it saw, and the sum of their losses
    if saved.exists():
        rows, *states = torch.load(saved, map_location="cpu")
        net.load_state_dict(states[0])
        optimizer.load_state_dict(states[1])
    sampler = DistributedSampler(data, seed=config["seed"])  # equal batches at any world size
    loader = DataLoader(data, BATCH // workers, sampler=sampler)
    for epoch in range(len(rows), config["until"]):
        sampler.set_epoch(epoch)
        row = torch.zeros(1798, dtype=torch.float64)
        for step, (pixels, labels, numbers) in enumerate(loader):
            pixels, labels = pixels.to(device), labels.to(device)
            loss = nn.functional.cross_entropy(model(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            row[numbers] = 1
            row[-1] += loss.item() * len(labels)
            if rank == workers - 1:
                with STEPS.open("a") as file:
                    print(time.time(), epoch, step, workers, os.getpid(), file=file)
        row = row.to(device)
        dist.all_reduce(row)
        rows.append(row.cpu())
        state = rows, net.state_dict(), optimizer.state_dict()
        if rank == 0:
            print(f"epoch {epoch}: {workers} workers, loss {row[-1] / SAMPLES:.6f}", flush=True)
            torch.save(state, FOLDER / "new.pt")
            (FOLDER / "new.pt").replace(saved)
    dist.destroy_process_group()
    rows = torch.stack(rows).numpy()
    return dict(losses=list(rows[:, -1] / SAMPLES), seen=zlib.crc32(np.packbits(rows[:, :-1] > 0)))


def steps_done() -> list[list[float]]:
    """Time, epoch, step, workers and pid of each step so far; the last rank writes them down."""
    return [[float(word) for word in line.split()] for line in STEPS.read_text().splitlines()]


def step_in(epoch: int) -> list[float]:
    """Waits until the epoch has begun, and returns its latest step."""
    while not (found := [step for step in steps_done() if step[1] == epoch and step[2] >= 2]):
        time.sleep(0.05)
    return found[-1]


def story(moments: list[float]) -> None:
    """What happens to the last machine while it trains."""
    os.kill(int(step_in(LOST)[4]), signal.SIGKILL)
    moments.append(time.time())


def main(
    epochs: int = 4, workers: int = 2, rejoin: bool = False, gpu: bool = False, seed: int = 42
) -> dict:
    """EPOCHS over 1408 digits; in the second a machine is lost, and with REJOIN one comes back."""
    least, most = 1 + rejoin, torch.cuda.device_count() if gpu else 8
    if epochs < 1 + 2 * least or not least <= workers <= most:
        raise typer.BadParameter(f"--epochs from {1 + 2 * least}, --workers {least} to {most}")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    STEPS.touch()
    moments, command = [], psutil.Process().create_time()
    os.environ["OMP_NUM_THREADS"] = "1"  # as torchrun sets it
    if workers > 1:
        Thread(target=story, args=[moments], daemon=True).start()
    back = BACK if rejoin else epochs
    for size, until in ((workers, epochs), (workers - 1, back), (workers, epochs)):
        config = dict(until=until, gpu=gpu, seed=seed)
        launch = LaunchConfig(1, 1, size, rdzv_backend="c10d", rdzv_endpoint="localhost:0")
        launch.run_id, launch.max_restarts = "10_elastic", 0
        try:
            done = elastic_launch(launch, train)(config)[0]
        except ChildFailedError as error:
            print(f"torchrun ends: {error.get_first_failure()[1].message}")
            continue
        if until == epochs:
            break
        moments.append(time.time())
    steps = steps_done()
    groups = [list(group) for _, group in groupby(steps, lambda step: step[3])]
    figure, changes, start = Figure(figsize=(9, 2.5), layout="tight"), [], steps[0][0]
    axes = figure.subplots()
    axes.plot([step[0] - start for step in steps], [step[3] for step in steps], ".")
    for old, new, moment in zip(groups, groups[1:], moments, strict=False):
        axes.axvline(moment - start, color="C3")
        changes.append([old[0][3], new[0][3], new[0][0] - moment, new[0][0] - old[-1][0]])
        print("{:.0f} -> {:.0f} workers: {:.1f} s, {:.1f} without a step".format(*changes[-1]))
    axes.set(xlabel="seconds", ylabel="workers, in each step", ylim=(0, workers + 0.5))
    figure.savefig(FOLDER / "workers.png", dpi=120)
    ready, took, samples = steps[0][0] - command, steps[-1][0] - steps[0][0], epochs * SAMPLES
    rate, repeated = samples / took, sum(step[2] == 0 for step in steps) - epochs
    print(f"ready in {ready:.1f} s")
    print(f"{epochs} epochs, {repeated} of them begun twice, last loss {done['losses'][-1]:.6f}")
    print(f"{samples} samples in {took:.2f} s ({rate:.1f} samples/s), answer {done['seen']}")
    figures = dict(losses=done["losses"], changes=changes, repeated=repeated, answer=done["seen"])
    return figures | dict(items=samples, unit="samples", seconds=took, ready_seconds=ready)


if __name__ == "__main__":
    typer.run(main)
