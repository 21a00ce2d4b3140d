"""Which learning rate, momentum and batch size? Each of 32 configurations is trained to its end.

    python ray_tune/01_asha_baseline.py

`ready` is from the command to the first step. The answer is the mean loss of all configurations
after their first epoch, which both searches must see: ASHA judges by it who goes on.
Last line: 32 trials in 48.80 s (0.7 trials/s), answer 2.284740
"""

import random
import time
from pathlib import Path

import psutil
import torch
import typer
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

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


def train(config: dict, data: tuple) -> list[dict]:
    """Loss and accuracy after each epoch, on the digits that it does not learn from."""
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    (pixels, labels), choice, reports = data, config["choice"], []
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), choice["lr"], choice["momentum"])
    for _ in range(config["epochs"]):
        for rows in torch.randperm(TRAIN).split(choice["batch"]):
            loss = cross_entropy(model(pixels[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        reports.append(judged(model, pixels[TRAIN:], labels[TRAIN:]))
    return reports


def told(number: int, choice: dict, epochs: int, loss: float) -> None:
    described = "lr {lr:.5f} momentum {momentum:.2f} batch {batch:3}".format(**choice)
    print(f"trial {number:2}: {described}: loss {loss:.4f} after {epochs:2} epochs", flush=True)


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

    start, results = time.time(), []
    for number, choice in enumerate(tried):
        results.append(train(dict(choice=choice, epochs=epochs, seed=seed), data))
        told(number, choice, epochs, results[-1][-1]["loss"])
    curves = [[report["loss"] for report in reports] for reports in results]
    scores = [reports[-1]["accuracy"] for reports in results]
    ready, seconds = start - command, time.time() - start

    best = min(range(trials), key=lambda number: curves[number][-1])
    file, done = Path("out/ray_tune/01_asha/baseline.png"), sum(map(len, curves))
    picture(curves, best, file)
    score, answer = scores[best], f"{sum(curve[0] for curve in curves) / trials:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"best: trial {best}, {score:.2%} right; {done} of {trials * epochs} epochs; {file}")
    print(f"{trials} trials in {seconds:.2f} s ({trials / seconds:.1f} trials/s), answer {answer}")
    figures = dict(items=trials, unit="trials", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, curves=curves, best=best, score=score, epochs=done)


if __name__ == "__main__":
    typer.run(main)
