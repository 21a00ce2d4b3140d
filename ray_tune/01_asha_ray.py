"""Which learning rate, momentum and batch size? Of 32 configurations the bad are stopped early.

    python ray_tune/01_asha_ray.py

`ready` is from the command to the first trial. The answer is the mean loss of all configurations
after their first epoch, which both searches must see: ASHA judges by it who goes on.
Last line: 32 trials in 7.67 s (4.2 trials/s), answer 2.284740
"""

import os  # NEW:
import random
import shutil  # NEW:
import time
from pathlib import Path

import psutil
import torch
import typer
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

import ray  # NEW:
from ray import tune  # NEW:
from ray.tune.schedulers import ASHAScheduler  # NEW:

TRAIN, WORST = 1000, 10.0  # digits to learn from; a loss above, or no number at all, counts as this


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    found, mixed = load_digits(), torch.Generator().manual_seed(0)
    order = torch.randperm(len(found.target), generator=mixed)
    pixels = torch.tensor(found.images).float()[:, None] / 16
    return pixels[order], torch.tensor(found.target)[order]


def choices(trials: int, seed: int) -> list[dict]:
    """A usual guess, so that there is something to beat from the beginning, then random ones."""
    rng, guess = random.Random(seed), dict(lr=0.02, momentum=0.9, batch=64)
    return [guess] + [
        dict(lr=10 ** rng.uniform(-4, 0), momentum=rng.random(), batch=rng.choice([32, 64, 128]))
        for _ in range(trials - 1)
    ]


def network() -> torch.nn.Module:
    first, second = (torch.nn.Conv2d(a, b, 3, padding=1) for a, b in ((1, 16), (16, 32)))
    relu, pool, last = torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Linear(32 * 4, 10)
    return torch.nn.Sequential(first, relu, pool, second, relu, pool, torch.nn.Flatten(), last)


@torch.inference_mode()
def judged(model: torch.nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> dict:
    scores = model(pixels)
    loss = cross_entropy(scores, labels).nan_to_num(WORST).clamp(max=WORST)
    return {"loss": loss.item(), "accuracy": (scores.argmax(1) == labels).double().mean().item()}


def train(config: dict, data: tuple) -> None:  # NEW:
    """Reports loss and accuracy after each epoch, on the digits that it does not learn from."""
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    (pixels, labels), choice = data, config["choice"]  # NEW:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), choice["lr"], choice["momentum"])
    for _ in range(config["epochs"]):
        for rows in torch.randperm(TRAIN).split(choice["batch"]):
            loss = cross_entropy(model(pixels[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        tune.report(judged(model, pixels[TRAIN:], labels[TRAIN:]))  # NEW: here it may end


def told(number: int, choice: dict, epochs: int, loss: float) -> None:
    described = "lr {lr:.5f} momentum {momentum:.2f} batch {batch:3}".format(**choice)
    print(f"trial {number:2}: {described}: loss {loss:.4f} after {epochs:2} epochs", flush=True)


class Progress(tune.Callback):  # NEW:
    start = None  # NEW:

    def on_trial_start(self, iteration, trials, trial, **info) -> None:  # NEW:
        self.start = self.start or time.time()  # NEW:

    def on_trial_complete(self, iteration, trials, trial, **info) -> None:  # NEW:
        choice, last = trial.config["choice"], trial.last_result  # NEW:
        told(trials.index(trial), choice, last["training_iteration"], last["loss"])  # NEW:


def picture(curves: list[list[float]], best: int, file: Path) -> None:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss", xscale="log", yscale="log")
    for number, curve in enumerate(curves):
        color = "tab:red" if number == best else "tab:gray"
        axes.plot(range(1, len(curve) + 1), curve, color=color, linewidth=1)
        axes.plot(len(curve), curve[-1], "o", color=color)
    ticks = [3**k for k in range(9) if 3**k <= max(map(len, curves))]
    axes.set_xticks(ticks, ticks)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def main(trials: int = 32, epochs: int = 27, seed: int = 42) -> dict:
    """Looks for the best of TRIALS configurations, each trained for EPOCHS epochs at most."""
    if trials < 1 or epochs < 1:
        raise typer.BadParameter("--trials and --epochs start at 1")
    data, tried = digits(), choices(trials, seed)
    command = psutil.Process().create_time()

    folder, progress = Path("out/ray_tune/01_asha").absolute(), Progress()  # NEW:
    shutil.rmtree(folder / "sweep", ignore_errors=True)  # NEW:
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # NEW: Ctrl-C ends it, without half a result
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # NEW: no tables, only our lines
    ray.init()  # NEW:
    space = dict(choice=tune.grid_search(tried), epochs=epochs, seed=seed)  # NEW:
    asha = ASHAScheduler(max_t=epochs, grace_period=1, reduction_factor=3)  # NEW:
    goal = dict(metric="loss", mode="min", scheduler=asha)  # NEW:
    search = tune.TuneConfig(**goal, max_concurrent_trials=2, reuse_actors=True)  # NEW:
    kept = dict(name="sweep", storage_path=folder, callbacks=[progress], verbose=0)  # NEW:
    given = dict(param_space=space, tune_config=search, run_config=tune.RunConfig(**kept))  # NEW:
    results = tune.Tuner(tune.with_parameters(train, data=data), **given).fit()  # NEW:
    curves = [result.metrics_dataframe["loss"].to_list() for result in results]  # NEW:
    scores = [result.metrics["accuracy"] for result in results]  # NEW:
    ready, seconds = progress.start - command, time.time() - progress.start  # NEW:

    best = min(range(trials), key=lambda number: curves[number][-1])
    file, done = Path("out/ray_tune/01_asha/ray.png"), sum(map(len, curves))
    picture(curves, best, file)
    score, answer = scores[best], f"{sum(curve[0] for curve in curves) / trials:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"best: trial {best}, {score:.2%} right; {done} of {trials * epochs} epochs; {file}")
    print(f"{trials} trials in {seconds:.2f} s ({trials / seconds:.1f} trials/s), answer {answer}")
    figures = dict(items=trials, unit="trials", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, curves=curves, best=best, score=score, epochs=done)


if __name__ == "__main__":
    typer.run(main)
