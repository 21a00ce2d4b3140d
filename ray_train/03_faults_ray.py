"""A worker is killed in mid-epoch: Ray starts all of them again, from the last checkpoint. Killed
itself and started again with the same flags, this script goes on as well.

    python ray_train/03_faults_ray.py

A thread here reads a worker's process id from a file and kills it; `ready`: to the first step.
Last line: 14376 samples in 13.60 s (1057.3 samples/s), answer 0.084941
"""

import json
import os
import signal
import threading
import time
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import TemporaryDirectory  # NEW:

import psutil
import torch
import torch.distributed as dist
import typer
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy, interpolate
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import ray  # NEW:
from ray.train import Checkpoint, FailureConfig, Result, RunConfig, ScalingConfig  # NEW:
from ray.train.torch import TorchTrainer, prepare_data_loader, prepare_model  # NEW:

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
    workers, device = dist.get_world_size(), ray.train.torch.get_device()  # NEW:
    data = images()
    sampler = DistributedSampler(data, seed=config["seed"])
    loader = prepare_data_loader(DataLoader(data, BATCH // workers, sampler=sampler))  # NEW:
    plain = network(config["seed"]).to(device)
    model = prepare_model(plain)  # NEW:
    optimizer = torch.optim.SGD(plain.parameters(), LEARNING_RATE, momentum=0.9)
    losses, source = [], torch.cuda if config["gpu"] else torch  # NEW: of random numbers
    if found := ray.train.get_checkpoint():  # NEW:
        with found.as_directory() as folder:  # NEW:
            state = torch.load(f"{folder}/state.pt", map_location="cpu", weights_only=True)  # NEW:
        plain.load_state_dict(state["model"])  # NEW:
        optimizer.load_state_dict(state["optimizer"])  # NEW:
        source.set_rng_state(state["random"])  # NEW:
        losses = state["losses"]  # NEW:
    for epoch in range(len(losses), config["epochs"]):  # NEW:
        sampler.set_epoch(epoch)
        total = torch.zeros(2, dtype=torch.float64)
        for batch, (pixels, labels) in enumerate(loader):
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
        state = dict(model=plain.state_dict(), optimizer=optimizer.state_dict())  # NEW:
        state |= dict(random=source.get_rng_state(), losses=losses)  # NEW:
        with TemporaryDirectory() as folder:  # NEW:
            new = None  # NEW:
            if dist.get_rank() == 0:  # NEW:
                print(f"epoch {epoch}: loss {losses[-1]!r}", flush=True)  # NEW:
                torch.save(state, Path(folder, "state.pt"))  # NEW:
                new = Checkpoint.from_directory(folder)  # NEW:
            ray.train.report(dict(epochs=epoch + 1), checkpoint=new)  # NEW:
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
    name = f"03_faults_ray-{epochs}-{workers}-{seed}"  # NEW: a run with these flags goes on
    folder = Path("out/ray_train").absolute() / name  # NEW:
    begun = (folder / "checkpoint_manager_snapshot.json").exists()  # NEW:
    if not begun or Result.from_path(folder).metrics["epochs"] == epochs:  # NEW:
        rmtree(folder, ignore_errors=True)  # NEW: that run is over, or reached no checkpoint
    folder.mkdir(parents=True, exist_ok=True)  # NEW:
    (log := folder / f"steps-{os.getpid()}.log").touch()

    config, killed = dict(epochs=epochs, log=log, gpu=gpu, seed=seed), []
    threading.Thread(target=kill, args=(plan, log, killed), daemon=True).start()
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")  # NEW:
    ray.init()  # NEW:
    there = ray.cluster_resources()  # NEW:
    if workers > min(there["CPU"], there.get("GPU", 0) if gpu else workers):  # NEW:
        raise typer.BadParameter(f"{workers} workers want more CPUs or GPUs than Ray has")  # NEW:
    scaling = ScalingConfig(num_workers=workers, use_gpu=gpu)  # NEW:
    retry = FailureConfig(max_failures=kills)  # NEW:
    run = RunConfig(storage_path=folder.parent, name=name, failure_config=retry)  # NEW:
    given = dict(train_loop_config=config, scaling_config=scaling, run_config=run)  # NEW:
    losses = TorchTrainer(train, **given).fit().return_value  # NEW:

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
