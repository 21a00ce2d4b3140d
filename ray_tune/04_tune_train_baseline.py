"""Which learning rate, for a network that two processes train? A loop that starts torchrun's runs.

    python ray_tune/04_tune_train_baseline.py

`ready` is from the command to the first step; the answer is the smallest last loss of all runs.
Last line: 2 trials in 8.07 s (0.2 trials/s), answer 0.102492
"""

import os
import random
import time

import psutil
import torch
import torch.distributed as dist
import typer
from torch.distributed.launcher import LaunchConfig, elastic_launch
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from workshop import digits

BATCH = 64


def train(config: dict) -> list[dict]:
    """One worker of a run: every worker holds the network and sees its share of each batch."""
    dist.init_process_group("gloo")
    workers, reports = dist.get_world_size(), []
    torch.manual_seed(config["seed"])
    layers = torch.nn.Conv2d(1, 32, 3), torch.nn.ReLU(), torch.nn.Flatten()
    model = torch.nn.Sequential(*layers, torch.nn.Linear(32 * 36, 10))
    model = DistributedDataParallel(model)
    data = TensorDataset(*digits.unshuffled())
    sampler = DistributedSampler(data)
    loader = DataLoader(data, BATCH // workers, sampler=sampler, drop_last=True)
    optimizer = torch.optim.SGD(model.parameters(), config["rate"], momentum=0.9)
    for epoch in range(config["epochs"]):
        sampler.set_epoch(epoch)
        total, begin = torch.zeros(2, dtype=torch.float64), time.time()
        for pixels, labels in loader:
            loss = cross_entropy(model(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += torch.tensor([loss.item() * len(labels), len(labels)])
        dist.all_reduce(total)
        loss = (total[0] / total[1]).item()
        reports.append(dict(loss=loss, begin=begin))
    dist.destroy_process_group()
    return reports


def main(trials: int = 2, epochs: int = 10, workers: int = 2, seed: int = 42) -> dict:
    """TRIALS learning rates; with each, WORKERS processes train for EPOCHS epochs."""
    if min(trials, epochs) < 1 or not 2 <= workers <= BATCH:
        raise typer.BadParameter("--trials and --epochs start at 1, --workers at 2")
    rng = random.Random(seed)
    rates = [10 ** rng.uniform(-3, -1) for _ in range(trials)]

    os.environ["OMP_NUM_THREADS"] = "1"  # as torchrun sets it
    results = []
    for rate in rates:
        config = dict(rate=rate, epochs=epochs, seed=seed)
        launch = LaunchConfig(1, 1, workers, rdzv_backend="c10d", rdzv_endpoint="localhost:0")
        launch.run_id, launch.max_restarts = "04_tune_train", 0
        results.append(elastic_launch(launch, train)(config)[0])
        print(f"rate {rate:.4f}: loss {results[-1][-1]['loss']:.4f}", flush=True)
    losses = [[report["loss"] for report in reports] for reports in results]
    start, end = results[0][0]["begin"], time.time()

    best = min(range(trials), key=lambda number: losses[number][-1])
    ready, seconds = start - psutil.Process().create_time(), end - start
    answer = f"{losses[best][-1]:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"best: rate {rates[best]:.4f}, of {trials} runs with {workers} workers each")
    print(f"{trials} trials in {seconds:.2f} s ({trials / seconds:.1f} trials/s), answer {answer}")
    figures = dict(items=trials, unit="trials", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, losses=losses, rate=rates[best])


if __name__ == "__main__":
    typer.run(main)
