"""Optuna chooses a batch of configurations by what those before achieved; one runs at a time.

    python ray_tune/02_optuna_baseline.py

`ready` is from the command to the first step; the answer is the smallest loss that was found.
Last line: 30 trials in 15.91 s (1.9 trials/s), answer 0.095565
"""

import time
from pathlib import Path

import numpy as np
import optuna
import psutil
import torch
import typer
from matplotlib.figure import Figure
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

TRAIN, EPOCHS, WORST = 1000, 12, 10.0  # a loss that is more, or no number at all, counts as this
SPACE = {
    "lr": FloatDistribution(1e-4, 1, log=True),
    "momentum": FloatDistribution(0, 0.99),
    "decay": FloatDistribution(1e-6, 1e-1, log=True),
    "batch": CategoricalDistribution([32, 64, 128]),
}
SAMPLERS = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    found, mixed = load_digits(), torch.Generator().manual_seed(0)
    order = torch.randperm(len(found.target), generator=mixed)
    pixels = torch.tensor(found.images).float()[:, None] / 16
    return pixels[order], torch.tensor(found.target)[order]


def network() -> torch.nn.Module:
    first, second = (torch.nn.Conv2d(a, b, 3, padding=1) for a, b in ((1, 16), (16, 32)))
    relu, pool, last = torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Linear(32 * 4, 10)
    return torch.nn.Sequential(first, relu, pool, second, relu, pool, torch.nn.Flatten(), last)


def train(config: dict, data: tuple) -> dict:
    """The loss on the digits that it did not learn from."""
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    (pixels, labels), model = data, network()
    given = dict(momentum=config["momentum"], weight_decay=config["decay"])
    optimizer = torch.optim.SGD(model.parameters(), config["lr"], **given)
    for _ in range(EPOCHS):
        for rows in torch.randperm(TRAIN).split(config["batch"]):
            loss = cross_entropy(model(pixels[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.inference_mode():
        loss = cross_entropy(model(pixels[TRAIN:]), labels[TRAIN:])
    return {"loss": loss.nan_to_num(WORST).clamp(max=WORST).item()}


def picture(losses: list[float], file: Path) -> None:
    numbers = range(1, len(losses) + 1)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="trials", ylabel="loss", yscale="log")
    axes.plot(numbers, losses, "o", color="tab:gray")
    axes.step(numbers, np.minimum.accumulate(losses), where="post", color="tab:red")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def main(trials: int = 30, workers: int = 2, sampler: str = "tpe", seed: int = 42) -> dict:
    """Looks for the best in TRIALS trials, asked for in batches of WORKERS."""
    if min(trials, workers) < 1 or sampler not in SAMPLERS:
        raise typer.BadParameter("--trials and --workers start at 1; --sampler: tpe, random")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data, sampling = digits(), SAMPLERS[sampler](seed=seed)
    command = psutil.Process().create_time()

    start, losses, found = time.time(), [], []
    study = optuna.create_study(sampler=sampling, direction="minimize")
    while len(losses) < trials:
        batch = [study.ask(SPACE) for _ in range(min(workers, trials - len(losses)))]
        for trial in batch:
            losses.append(train(trial.params | dict(seed=seed), data)["loss"])
            found.append(trial.params)
            study.tell(trial, losses[-1])
            print(f"trial {trial.number:2}: loss {losses[-1]:.4f}", flush=True)
    ready, seconds = start - command, time.time() - start

    best = int(np.argmin(losses))
    file = Path("out/ray_tune/02_optuna/baseline.png")
    picture(losses, file)
    answer, after = f"{losses[best]:.6f}", trials // 2
    print(f"ready in {ready:.1f} s")
    print(f"best loss of the first {after}: {min(losses[:after], default=WORST):.4f}; {file}")
    print(f"{trials} trials in {seconds:.2f} s ({trials / seconds:.1f} trials/s), answer {answer}")
    figures = dict(items=trials, unit="trials", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, losses=losses, configurations=found, best=found[best])


if __name__ == "__main__":
    typer.run(main)
