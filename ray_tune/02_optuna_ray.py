"""Optuna chooses each configuration by what those before achieved; two run at a time.

    python ray_tune/02_optuna_ray.py

`ready` is from the command to the first trial; the answer is the mean loss of the first ten trials,
which Optuna draws at random in both searches, before it chooses by what it has seen.
Last line: 30 trials in 6.65 s (4.5 trials/s), answer 1.701341
"""

import time
from pathlib import Path

import optuna
import psutil
import torch
import typer
from optuna.distributions import CategoricalDistribution, FloatDistribution
from torch.nn.functional import cross_entropy

import ray  # NEW:
from ray import tune  # NEW:
from ray.tune.search.optuna import OptunaSearch  # NEW:

from workshop import digits, plots, sweeps

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

    progress = sweeps.Progress("trial {number}: loss {loss:.4f}")  # NEW:
    sweeps.fresh(folder / "sweep")  # NEW:
    ray.init()  # NEW:
    study = OptunaSearch(SPACE, metric="loss", mode="min", sampler=sampler)  # NEW:
    many = dict(num_samples=trials, max_concurrent_trials=2)  # NEW:
    search = tune.TuneConfig(search_alg=study, reuse_actors=True, **many)  # NEW:
    kept = dict(name="sweep", storage_path=folder.absolute(), callbacks=[progress])  # NEW:
    run = tune.RunConfig(verbose=0, **kept)  # NEW:
    how = dict(param_space=dict(seed=seed), tune_config=search, run_config=run)  # NEW:
    results = tune.Tuner(tune.with_parameters(train, data=digits.dataset()), **how).fit()  # NEW:
    losses = [result.metrics["loss"] for result in results]  # NEW:
    tried = [{key: result.config[key] for key in SPACE} for result in results]  # NEW:
    end, start = time.time(), progress.start  # NEW:

    first, file = losses[:RANDOM], folder / "ray.png"
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
