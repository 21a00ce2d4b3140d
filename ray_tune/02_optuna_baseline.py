"""Optuna chooses each configuration by what those before achieved; one runs at a time.

    python ray_tune/02_optuna_baseline.py

`ready` is from the command to the first step; the answer is the mean loss of the first ten trials,
which Optuna draws at random in both searches, before it chooses by what it has seen.
Last line: 30 trials in 12.51 s (2.4 trials/s), answer 1.701341
"""

import time
from pathlib import Path

import optuna
import psutil
import torch
import typer
from optuna.distributions import CategoricalDistribution, FloatDistribution
from torch.nn.functional import cross_entropy

from workshop import digits, plots

TRAIN, EPOCHS, WORST = 1000, 12, 10.0  # a loss above, or no number at all, counts as this
RANDOM = 10  # this many trials have to be known before TPE, Optuna's sampler, makes use of them
SPACE = {
    "lr": FloatDistribution(1e-4, 1, log=True),
    "momentum": FloatDistribution(0, 0.99),
    "decay": FloatDistribution(1e-6, 1e-1, log=True),
    "batch": CategoricalDistribution([32, 64, 128]),
}


def train(config: dict, data: tuple) -> dict:
    """The loss on the digits that it did not learn from."""
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    (pixels, labels), model = data, digits.network("convnet")
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
    return dict(loss=loss.nan_to_num(WORST).clamp(max=WORST).item())


def main(trials: int = 30, seed: int = 42) -> dict:
    """Lets Optuna look for the best configuration in TRIALS trials."""
    if trials < 1:
        raise typer.BadParameter("--trials starts at 1")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM)
    folder = Path("out/ray_tune/02_optuna")

    start, losses, tried = time.time(), [], []
    study = optuna.create_study(sampler=sampler, direction="minimize")
    for number in range(trials):
        trial = study.ask(SPACE)
        losses.append(train(trial.params | dict(seed=seed), digits.dataset())["loss"])
        study.tell(trial, losses[-1])
        tried.append(trial.params)
        print(f"trial {number}: loss {losses[-1]:.4f}", flush=True)
    end = time.time()

    first, file = losses[:RANDOM], folder / "baseline.png"
    plots.best_so_far(file, losses, shaded=RANDOM)
    best, answer = losses.index(min(losses)), f"{sum(first) / len(first):.6f}"
    ready, seconds = start - psutil.Process().create_time(), end - start
    print(f"ready in {ready:.1f} s")
    print(f"best loss: {min(first):.4f} at random, then {losses[best]:.4f} in trial {best}; {file}")
    text = "with lr {lr:.4f}, momentum {momentum:.2f}, decay {decay:.0e}, batch {batch}"
    print(text.format(**tried[best]))
    print(f"{trials} trials in {seconds:.2f} s ({trials / seconds:.1f} trials/s), answer {answer}")
    figures = dict(items=trials, unit="trials", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, losses=losses, tried=tried, best=best)


if __name__ == "__main__":
    typer.run(main)
