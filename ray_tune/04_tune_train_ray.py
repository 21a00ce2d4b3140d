"""Which learning rate, for a network that two processes train? Tune starts Ray Train's runs.

    python ray_tune/04_tune_train_ray.py

`ready` is from the command to the first step; the answer is the smallest last loss of all runs.
Last line: 2 trials in 17.75 s (0.1 trials/s), answer 0.102492
"""

import os
import random
import time
from pathlib import Path  # NEW:

import psutil
import torch
import torch.distributed as dist
import typer
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import ray  # NEW:
from ray import tune  # NEW:
from ray.train import RunConfig, ScalingConfig  # NEW:
from ray.train.torch import TorchTrainer, prepare_data_loader, prepare_model  # NEW:
from ray.tune.integration.ray_train import TuneReportCallback  # NEW:

from workshop import digits, sweeps  # NEW:

BATCH = 64
TRIAL, WORKER = 0.2, 0.9  # NEW: CPUs: a trial only waits for its workers, and they compute


def train(config: dict) -> None:  # NEW:
    """One worker of a run: every worker holds the network and sees its share of each batch."""
    workers = dist.get_world_size()  # NEW:
    torch.set_num_threads(1)  # NEW:
    torch.manual_seed(config["seed"])
    layers = torch.nn.Conv2d(1, 32, 3), torch.nn.ReLU(), torch.nn.Flatten()
    model = torch.nn.Sequential(*layers, torch.nn.Linear(32 * 36, 10))
    model = prepare_model(model)  # NEW:
    data = TensorDataset(*digits.unshuffled())
    loader = DataLoader(data, BATCH // workers, shuffle=True, drop_last=True)  # NEW:
    loader = prepare_data_loader(loader)  # NEW:
    optimizer = torch.optim.SGD(model.parameters(), config["rate"], momentum=0.9)
    for epoch in range(config["epochs"]):
        loader.sampler.set_epoch(epoch)  # NEW:
        total, begin = torch.zeros(2, dtype=torch.float64), time.time()
        for pixels, labels in loader:
            loss = cross_entropy(model(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += torch.tensor([loss.item() * len(labels), len(labels)])
        dist.all_reduce(total)
        loss = (total[0] / total[1]).item()
        ray.train.report(dict(loss=loss, begin=begin))  # NEW: to the callback of its run


def run(config: dict) -> None:  # NEW:
    """One trial: a run of Ray Train, whose reports go on to Tune."""
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "0.2"  # NEW: a report waits for it, or 2 s
    workers = dict(num_workers=config["workers"], resources_per_worker={"CPU": WORKER})  # NEW:
    name = tune.get_context().get_trial_id()  # NEW:
    kept = dict(storage_path=config["folder"], name=name, callbacks=[TuneReportCallback()])  # NEW:
    given = dict(scaling_config=ScalingConfig(**workers), run_config=RunConfig(**kept))  # NEW:
    TorchTrainer(train, train_loop_config=config, **given).fit()  # NEW:


def main(trials: int = 2, epochs: int = 10, workers: int = 2, seed: int = 42) -> dict:
    """TRIALS learning rates; with each, WORKERS processes train for EPOCHS epochs."""
    if min(trials, epochs) < 1 or not 2 <= workers <= BATCH:
        raise typer.BadParameter("--trials and --epochs start at 1, --workers at 2")
    rng = random.Random(seed)
    rates = [10 ** rng.uniform(-3, -1) for _ in range(trials)]

    folder = sweeps.fresh(Path("out/ray_tune/04_tune_train"))  # NEW:
    progress = sweeps.Progress("rate {rate:.4f}: loss {loss:.4f}")  # NEW:
    ray.init(log_to_driver=False)  # NEW:
    there = ray.cluster_resources()["CPU"]  # NEW:
    at_once = int(there / (TRIAL + workers * WORKER))  # NEW: one more would wait, and so would all
    if not at_once:  # NEW:
        raise typer.BadParameter(f"{workers} workers want more CPUs than Ray's {there:g}")  # NEW:
    space = dict(rate=tune.grid_search(rates), epochs=epochs, workers=workers, seed=seed)  # NEW:
    space |= dict(folder=str(folder / "runs"))  # NEW:
    search = tune.TuneConfig(max_concurrent_trials=at_once, reuse_actors=True)  # NEW:
    kept = dict(name="sweep", storage_path=folder, callbacks=[progress], verbose=0)  # NEW:
    trial = tune.with_resources(run, {"cpu": TRIAL})  # NEW:
    given = dict(tune_config=search, run_config=tune.RunConfig(**kept))  # NEW:
    results = tune.Tuner(trial, param_space=space, **given).fit()  # NEW:
    curves = [result.metrics_dataframe for result in results]  # NEW:
    losses = [curve["loss"].to_list() for curve in curves]  # NEW:
    start, end = min(curve["begin"].min() for curve in curves), time.time()  # NEW:

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
