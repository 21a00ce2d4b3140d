"""Eight learning rates, each kept from the first epoch to the last: the best of them wins.

    python ray_tune/03_pbt_baseline.py

`ready` is from the command to the first epoch; the answer is the mean loss of all members after
the first generation: until then no search, however it goes on, has changed anything.
Last line: 192 epochs in 5.91 s (32.5 epochs/s), answer 1.386106
"""

import random
import time
from pathlib import Path

import psutil
import torch
import typer
from torch.nn.functional import cross_entropy

from workshop import digits, plots

TRAIN, EPOCHS, WORST = 600, 6, 10.0  # no loss counts for more than 10, nor does one that is NaN


def train(config: dict, data: tuple) -> list[list[dict]]:
    """One member: after each generation its story, with the loss on digits it never learns."""
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    flat, first, last = torch.nn.Flatten(), torch.nn.Linear(64, 64), torch.nn.Linear(64, 10)
    model = torch.nn.Sequential(flat, first, torch.nn.ReLU(), last)
    optimizer = torch.optim.SGD(model.parameters(), config["rate"], momentum=0.9)
    (pixels, labels), member, story, stories = data, config["member"], [], []
    while len(story) < config["generations"]:
        torch.manual_seed(len(story))
        for rows in [r for _ in range(EPOCHS) for r in torch.randperm(TRAIN).split(8)]:
            noisy = pixels[rows] + 0.4 * torch.randn(len(rows), 8, 8)
            loss = cross_entropy(model(noisy), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            loss = cross_entropy(model(pixels[TRAIN:]), labels[TRAIN:])
        loss = loss.nan_to_num(WORST).clamp(max=WORST).item()
        story = [*story, dict(member=member, rate=config["rate"], loss=loss)]
        stories.append(story)
    print(f"member {member}: rate {config['rate']:.4f}, loss {loss:.4f}", flush=True)
    return stories


def main(members: int = 8, generations: int = 4, seed: int = 42) -> dict:
    """Trains MEMBERS networks, alike but for their rates, for GENERATIONS times 6 epochs."""
    if members < 4 or generations < 1:
        raise typer.BadParameter("--members starts at 4, --generations at 1")
    (pixels, labels), chance = digits.dataset(), random.Random(seed)
    data = pixels[:, 0], labels
    rates = [10 ** chance.uniform(-3, 0) for _ in range(members)]

    start, stories = time.time(), []
    for member, rate in enumerate(rates):
        config = dict(member=member, rate=rate, generations=generations, seed=seed)
        stories += train(config, data)
    end = time.time()

    best = min((s for s in stories if len(s) == generations), key=lambda s: s[-1]["loss"])
    loss, file = best[-1]["loss"], Path("out/ray_tune/03_pbt/baseline.png")
    plots.lineage(file, stories, best)
    ready, seconds = start - psutil.Process().create_time(), end - start
    items, early = len(stories) * EPOCHS, sorted(s[-1]["loss"] for s in stories if len(s) == 1)
    answer = f"{sum(early) / members:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"best: loss {loss:.4f}, rates", *(f"{row['rate']:.4f}" for row in best), f"in {file}")
    print(f"{items} epochs in {seconds:.2f} s ({items / seconds:.1f} epochs/s), answer {answer}")
    figures = dict(items=items, unit="epochs", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, stories=stories, best=best, loss=loss)


if __name__ == "__main__":
    typer.run(main)
