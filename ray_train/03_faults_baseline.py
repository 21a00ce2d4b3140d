"""A worker is killed in the middle of an epoch: torchrun starts all of them again, at epoch 0.

    python ray_train/03_faults_baseline.py

A thread here reads a worker's process id from a file and kills it; `ready`: to the first step.
Last line: 14376 samples in 12.37 s (1162.4 samples/s), answer 0.084941
"""

import json
import os
import signal
import threading
import time
from pathlib import Path
from random import Random
from shutil import rmtree

import psutil
import torch
import torch.distributed as dist
import typer
from sklearn.datasets import load_digits
from torch import nn
from torch.distributed.launcher import LaunchConfig, elastic_launch
from torch.nn.functional import cross_entropy, interpolate
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

BATCH, LEARNING_RATE = 64, 0.02


def images() -> TensorDataset:
    """Handwritten digits: pixels (n, 1, 32, 32) from 0 to 1, and labels 0 to 9."""
    digits = load_digits()
    pixels = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    return TensorDataset(interpolate(pixels, (32, 32)), torch.tensor(digits.target))


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 64, 3), nn.ReLU()
    return nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(2304, 10))


def train(config: dict) -> list[float]:
    """One worker: it writes every step into the log, with its process id."""
    dist.init_process_group("nccl" if config["gpu"] else "gloo")
    workers, local_rank = dist.get_world_size(), int(os.environ["LOCAL_RANK"])
    device = torch.device("cuda", local_rank) if config["gpu"] else torch.device("cpu")
    if config["gpu"]:
        torch.cuda.set_device(device)
    data = images()
    sampler = DistributedSampler(data, seed=config["seed"])
    loader = DataLoader(data, BATCH // workers, sampler=sampler)
    plain = network(config["seed"]).to(device)
    model = DistributedDataParallel(plain)
    optimizer = torch.optim.SGD(plain.parameters(), LEARNING_RATE, momentum=0.9)
    losses = []
    for epoch in range(config["epochs"]):
        sampler.set_epoch(epoch)
        total = torch.zeros(2, dtype=torch.float64)
        for batch, (pixels, labels) in enumerate(loader):
            pixels, labels = pixels.to(device), labels.to(device)
            loss = cross_entropy(model(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += torch.tensor([loss.item() * len(labels), len(labels)])
            with config["log"].open("a") as log:
                print([time.time(), os.getpid(), dist.get_rank(), epoch, batch], file=log)
        total = total.to(device)
        dist.all_reduce(total)
        losses.append((total[0] / total[1]).item())
        if dist.get_rank() == 0:
            print(f"epoch {epoch}: loss {losses[-1]!r}", flush=True)
    dist.destroy_process_group()
    return losses


def steps(log: Path) -> list[list]:
    """[time, process id, rank, epoch, batch] of every step, in their order."""
    lines = log.read_text().rpartition("\n")[0].splitlines()  # the last may be half written
    return sorted(map(json.loads, lines))


def kill(plan: list[list], log: Path, killed: list[tuple]) -> None:
    """Waits for each [rank, epoch, batch] of the plan and kills the process that did that step."""
    for moment in plan:
        while not (found := [step for step in steps(log) if step[2:] == moment]):
            time.sleep(0.005)
        os.kill(found[-1][1], signal.SIGKILL)
        killed.append((time.time(), *found[-1][1:]))


def main(
    epochs: int = 8,
    workers: int = 2,
    kills: int = 1,
    gpu: bool = False,
    seed: int = 42,
    kill_seed: int = 5,
) -> dict:
    """EPOCHS over the digits, while KILLS workers are killed, each in the middle of an epoch."""
    few = gpu and torch.cuda.device_count() < workers
    if few or not 0 <= kills < epochs or not 1 <= workers <= BATCH:
        raise typer.BadParameter("--workers from 1 (--gpu: one for each), --kills below --epochs")
    samples, chance = len(images()), Random(kill_seed)
    struck = sorted(chance.sample(range(1, epochs), kills))
    plan = [[chance.randrange(workers), epoch, chance.randrange(10, 24)] for epoch in struck]
    folder = Path("out/ray_train").absolute() / "03_faults_baseline"
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (log := folder / f"steps-{os.getpid()}.log").touch()

    config, killed = dict(epochs=epochs, log=log, gpu=gpu, seed=seed), []
    threading.Thread(target=kill, args=(plan, log, killed), daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = "1"  # as torchrun sets it
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # else a restart hangs, torch 2.15
    launch = LaunchConfig(1, 1, workers, rdzv_backend="c10d", rdzv_endpoint="localhost:0")
    launch.run_id, launch.max_restarts = "03_faults", kills
    losses = elastic_launch(launch, train)(config)[0]

    made, recoveries = steps(log), []
    for moment, pid, _, epoch, _ in killed:
        before = {step[1] for step in made if step[0] <= moment}
        again = next(step for step in made if step[1] not in before)
        wait, lost = again[0] - moment, epoch - again[3]
        recoveries.append((wait, lost))
        print(f"{pid} killed in epoch {epoch}: {lost} epochs repeated, a step after {wait:.1f} s")
    ready, seconds = made[0][0] - psutil.Process().create_time(), made[-1][0] - made[0][0]
    items, answer = samples * (epochs - made[0][3]), f"{losses[-1]:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"{items} samples in {seconds:.2f} s ({items / seconds:.1f} samples/s), answer {answer}")
    figures = dict(items=items, unit="samples", seconds=seconds, ready_seconds=ready)
    figures |= dict(answer=answer, losses=losses, first_epoch=made[0][3])
    return figures | dict(killed=killed, recoveries=recoveries)


if __name__ == "__main__":
    typer.run(main)
