"""A machine is lost while it trains: Ray Train goes on with those that are left, by itself.

    python ray_train/10_elastic_ray.py
    python ray_train/10_elastic_ray.py --rejoin --epochs 40      and a machine comes back

It makes machines to kill, one `ray start` each, and leaves the Ray of RAY_ADDRESS alone.
Last line: 5632 samples in 11.41 s (493.7 samples/s), answer 2978680163
"""

import os
import shutil
import time
import zlib
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory  # NEW:
from threading import Thread

import numpy as np
import psutil
import torch
import torch.distributed as dist
import typer
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import ray  # NEW:
from ray.train import Checkpoint, FailureConfig, RunConfig, ScalingConfig  # NEW:
from ray.train.torch import TorchTrainer, prepare_data_loader, prepare_model  # NEW:

from workshop.machines import Machine, look_every_second  # NEW:

BATCH, SAMPLES, LOST, BACK = 128, 1408, 1, 3  # a machine is lost in epoch LOST, and back in BACK
FOLDER = Path("out/ray_train/10_elastic/ray").absolute()  # NEW:
STEPS = FOLDER / "steps"  # a line for each


def images(seed: int) -> TensorDataset:
    """SAMPLES of the digits: pixels (1, 32, 32), labels, and their numbers in the whole set."""
    digits, chosen = load_digits(), np.random.default_rng(seed).permutation(1797)[:SAMPLES]
    pixels = torch.tensor(digits.images[chosen])[:, None].float() / 16
    pixels = nn.functional.interpolate(pixels, (32, 32))
    return TensorDataset(pixels, torch.tensor(digits.target[chosen]), torch.tensor(chosen))


def train(config: dict) -> dict:
    """One worker: goes on after the last whole epoch, with as many workers as there are now."""
    workers, rank = dist.get_world_size(), dist.get_rank()
    data, saved = images(config["seed"]), ray.train.get_checkpoint()  # NEW:
    torch.manual_seed(config["seed"])
    convs = [nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5), nn.ReLU()]
    net = nn.Sequential(*convs, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1600, 10))  # NEW:
    model = prepare_model(net)  # NEW:
    optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
    rows = []  # for each epoch, which of the 1797 digits it saw, and the sum of their losses
    if saved:  # NEW:
        rows, *states = torch.load(Path(saved.path, "state.pt"), map_location="cpu")  # NEW:
        net.load_state_dict(states[0])
        optimizer.load_state_dict(states[1])
    sampler = DistributedSampler(data, seed=config["seed"])  # equal batches at any world size
    loader = prepare_data_loader(DataLoader(data, BATCH // workers, sampler=sampler))  # NEW:
    for epoch in range(len(rows), config["epochs"]):  # NEW:
        sampler.set_epoch(epoch)
        row = torch.zeros(1798, dtype=torch.float64)
        for step, (pixels, labels, numbers) in enumerate(loader):
            loss = nn.functional.cross_entropy(model(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            row[numbers.cpu()] = 1  # NEW: prepare_data_loader moved them
            row[-1] += loss.item() * len(labels)
            if rank == workers - 1:
                with STEPS.open("a") as file:
                    print(time.time(), epoch, step, workers, os.getpid(), file=file)
        row = row.to(ray.train.torch.get_device())  # NEW:
        dist.all_reduce(row)
        rows.append(row.cpu())
        state = rows, net.state_dict(), optimizer.state_dict()
        with TemporaryDirectory() as folder:  # NEW:
            if rank == 0:
                print(f"epoch {epoch}: {workers} workers, loss {row[-1] / SAMPLES:.6f}", flush=True)
                torch.save(state, Path(folder, "state.pt"))  # NEW:
            kept = Checkpoint.from_directory(folder) if rank == 0 else None  # NEW:
            ray.train.report({"epoch": epoch}, checkpoint=kept)  # NEW:
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


def story(moments: list[float], machine: Machine, rejoin: bool) -> None:  # NEW:
    """What happens to the last machine while it trains."""
    step_in(LOST)  # NEW:
    machine.lose()  # NEW:
    moments.append(time.time())
    if rejoin:  # NEW:
        step_in(BACK)  # NEW:
        machine.start()  # NEW:
        moments.append(time.time())  # NEW:


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
    os.environ.setdefault("RAY_health_check_period_ms", "200")  # NEW:
    quick = dict(HEALTH_CHECK_INTERVAL_S="0.2", WORKER_GROUP_START_TIMEOUT_S="1")  # NEW:
    quick |= dict(ENABLE_PRINT_PATCH="0", ENABLE_PREEMPTION_WATCHER="0")  # NEW:
    os.environ |= {f"RAY_TRAIN_{name}": value for name, value in quick.items()}  # NEW:
    ray.init("local", num_cpus=1, num_gpus=int(gpu))  # NEW: whatever RAY_ADDRESS says
    look_every_second()  # NEW: without it some 10 s more, see the README
    others = [Machine(number if gpu else None) for number in range(1, workers)]  # NEW:
    if workers > 1:
        Thread(target=story, args=[moments, others[-1], rejoin], daemon=True).start()  # NEW:
    size = dict(num_workers=(1, workers), elastic_resize_monitor_interval_s=1)  # NEW:
    scaling, again = ScalingConfig(**size, use_gpu=gpu), FailureConfig(max_failures=3)  # NEW:
    kept = RunConfig(storage_path=FOLDER, name="run", failure_config=again)  # NEW:
    given = dict(train_loop_config=dict(epochs=epochs, seed=seed), run_config=kept)  # NEW:
    done = TorchTrainer(train, scaling_config=scaling, **given).fit().return_value  # NEW:
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
