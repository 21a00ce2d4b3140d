"""Which learning rate, momentum and batch size? Of 32 configurations the bad are stopped early.

    python ray_tune/01_asha_ray.py

`ready` is from the command to the first trial; the answer is the mean loss of all configurations
after their first epoch, which both searches see.
Last line: 32 trials in 5.86 s (5.5 trials/s), answer 2.284740
"""

import random
import time
from pathlib import Path

import psutil
import torch
import typer
from torch.nn.functional import cross_entropy

import ray  # NEW:
from ray import tune  # NEW:
from ray.tune.schedulers import ASHAScheduler  # NEW:

from workshop import digits, plots, sweeps

TRAIN, WORST = 1000, 10.0  # digits to learn from; a loss above, or no number at all, counts as this


def choices(trials: int, seed: int) -> list[dict]:
    """A usual guess, so that there is something to beat from the beginning, then random ones."""
    rng, guess = random.Random(seed), dict(lr=0.02, momentum=0.9, batch=64)
    return [guess] + [
        dict(lr=10 ** rng.uniform(-4, 0), momentum=rng.random(), batch=rng.choice([32, 64, 128]))
        for _ in range(trials - 1)
    ]


def train(config: dict, data: tuple) -> None:  # NEW:
    """Reports loss and accuracy after each epoch, on the digits that it does not learn from."""
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    (pixels, labels), choice = data, config["choice"]  # NEW:
    model = digits.network("convnet")
    optimizer = torch.optim.SGD(model.parameters(), choice["lr"], choice["momentum"])
    for _ in range(config["epochs"]):
        for rows in torch.randperm(TRAIN).split(choice["batch"]):
            loss = cross_entropy(model(pixels[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            scores, truth = model(pixels[TRAIN:]), labels[TRAIN:]
            loss = cross_entropy(scores, truth).nan_to_num(WORST).clamp(max=WORST).item()
            accuracy = (scores.argmax(1) == truth).double().mean().item()
        tune.report(dict(loss=loss, accuracy=accuracy))  # NEW: here it may end


def main(trials: int = 32, epochs: int = 27, seed: int = 42) -> dict:
    """Looks for the best of TRIALS configurations, each trained for EPOCHS epochs at most."""
    if trials < 1 or epochs < 1:
        raise typer.BadParameter("--trials and --epochs start at 1")
    tried, folder = choices(trials, seed), Path("out/ray_tune/01_asha")

    sweeps.fresh(folder / "sweep")  # NEW:
    line = "trial {number}: loss {loss:.4f} in {training_iteration} epochs"  # NEW:
    progress = sweeps.Progress(line)  # NEW:
    ray.init()  # NEW:
    space = dict(choice=tune.grid_search(tried), epochs=epochs, seed=seed)  # NEW:
    asha = ASHAScheduler(max_t=epochs, grace_period=2, reduction_factor=3)  # NEW:
    goal = dict(metric="loss", mode="min", scheduler=asha)  # NEW:
    search = tune.TuneConfig(**goal, max_concurrent_trials=2, reuse_actors=True)  # NEW:
    kept = dict(name="sweep", storage_path=folder.absolute())  # NEW:
    run = tune.RunConfig(verbose=0, callbacks=[progress], **kept)  # NEW:
    how = dict(param_space=space, tune_config=search, run_config=run)  # NEW:
    results = tune.Tuner(tune.with_parameters(train, data=digits.dataset()), **how).fit()  # NEW:
    curves = [result.metrics_dataframe["loss"].to_list() for result in results]  # NEW:
    scores = [result.metrics["accuracy"] for result in results]  # NEW:
    end, start = time.time(), progress.start  # NEW:

    best = min(range(trials), key=lambda number: curves[number][-1])
    file, done = folder / "ray.png", sum(map(len, curves))
    plots.learning_curves(file, curves, best)
    score, answer = scores[best], f"{sum(curve[0] for curve in curves) / trials:.6f}"
    ready, seconds = start - psutil.Process().create_time(), end - start
    print(f"ready in {ready:.1f} s")
    print(f"best: trial {best}, {score:.2%} right; {done} of {trials * epochs} epochs; {file}")
    print("with lr {lr:.4f}, momentum {momentum:.2f}, batch {batch}".format(**tried[best]))
    print(f"{trials} trials in {seconds:.2f} s ({trials / seconds:.1f} trials/s), answer {answer}")
    figures = dict(items=trials, unit="trials", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, curves=curves, best=best, score=score, epochs=done)


if __name__ == "__main__":
    typer.run(main)
