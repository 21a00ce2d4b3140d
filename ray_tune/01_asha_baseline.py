"""Which learning rate, momentum and batch size? Each of 32 configurations is trained to its end.

    python ray_tune/01_asha_baseline.py

`ready` is from the command to the first step; the answer is the mean loss of all configurations
after their first epoch, which both searches see.
Last line: 32 trials in 37.24 s (0.9 trials/s), answer 2.284740
"""

import random
import time
from pathlib import Path

import psutil
import torch
import typer
from torch.nn.functional import cross_entropy

from workshop import digits, plots

TRAIN, WORST = 1000, 10.0  # digits to learn from; a loss above, or no number at all, counts as this


def choices(trials: int, seed: int) -> list[dict]:
    """A usual guess, so that there is something to beat from the beginning, then random ones."""
    rng, guess = random.Random(seed), dict(lr=0.02, momentum=0.9, batch=64)
    return [guess] + [
        dict(lr=10 ** rng.uniform(-4, 0), momentum=rng.random(), batch=rng.choice([32, 64, 128]))
        for _ in range(trials - 1)
    ]


def train(config: dict, data: tuple) -> list[dict]:
    """Loss and accuracy after each epoch, on the digits that it does not learn from."""
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    (pixels, labels), choice, reports = data, config["choice"], []
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
        reports.append(dict(loss=loss, accuracy=accuracy))
    return reports


def main(trials: int = 32, epochs: int = 27, seed: int = 42) -> dict:
    """Looks for the best of TRIALS configurations, each trained for EPOCHS epochs at most."""
    if trials < 1 or epochs < 1:
        raise typer.BadParameter("--trials and --epochs start at 1")
    tried, folder = choices(trials, seed), Path("out/ray_tune/01_asha")

    start, results = time.time(), []
    for number, choice in enumerate(tried):
        results.append(train(dict(choice=choice, epochs=epochs, seed=seed), digits.dataset()))
        loss = results[-1][-1]["loss"]
        print(f"trial {number}: loss {loss:.4f} in {epochs} epochs", flush=True)
    curves = [[report["loss"] for report in reports] for reports in results]
    scores = [reports[-1]["accuracy"] for reports in results]
    end = time.time()

    best = min(range(trials), key=lambda number: curves[number][-1])
    file, done = folder / "baseline.png", sum(map(len, curves))
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
