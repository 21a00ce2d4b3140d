"""Eight learning rates, each kept from the first epoch to the last: the best of them wins.

    python ray_tune/03_pbt_baseline.py

`ready` is from the command to the first epoch. The answer is the mean loss of all members after
their first four epochs: until then no search, however it goes on, has changed anything.
Last line: 160 epochs in 10.00 s (19.2 epochs/s), answer 1.000000
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

TRAIN, BATCH, INTERVAL, WORST = 600, 32, 4, 10.0  # a loss that is no number counts as the worst


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    found = load_digits()
    return torch.tensor(found.images).float()[:, None] / 16, torch.tensor(found.target)


def rates(members: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [10 ** chance.uniform(-3, 0) for _ in range(members)]


def network() -> torch.nn.Module:
    first, second = (torch.nn.Conv2d(a, b, 3, padding=1) for a, b in ((1, 16), (16, 32)))
    relu, pool, last = torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Linear(32 * 4, 10)
    return torch.nn.Sequential(first, relu, pool, second, relu, pool, torch.nn.Flatten(), last)


def one_epoch(model: torch.nn.Module, optimizer, data: tuple, epoch: int) -> float:
    """The loss on the digits that it does not learn from."""
    pixels, labels = data
    torch.manual_seed(epoch)
    for rows in torch.randperm(TRAIN).split(BATCH):
        loss = cross_entropy(model(pixels[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        loss = cross_entropy(model(pixels[TRAIN:]), labels[TRAIN:])
    return loss.nan_to_num(WORST).clamp(max=WORST).item()


def train(config: dict, data: tuple) -> list[dict]:
    """One member of the population: what it was after each epoch, and whose child it is."""
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    model, member = network(), config["member"]
    optimizer = torch.optim.SGD(model.parameters(), config["rate"], momentum=0.9)
    history = []
    for epoch in range(config["epochs"]):
        loss = one_epoch(model, optimizer, data, epoch)
        history.append(dict(loss=loss, rate=config["rate"], parent=member))
    print(f"member {member}: rate {config['rate']:.4f}, loss {loss:.4f}", flush=True)
    return history


def descent(histories: list[list[dict]], member: int) -> list[int]:
    """Whose weights the member's were, by epoch."""
    line = []
    for epoch in reversed(range(len(histories[member]))):
        line.append(member)
        member = histories[member][epoch]["parent"]
    return line[::-1]


def picture(histories: list[list[dict]], line: list[int], file: Path) -> None:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="learning rate", yscale="log")
    for member, history in enumerate(histories):
        for epoch, row in enumerate(history):
            before = histories[row["parent"]][max(0, epoch - 1)]
            color = "tab:red" if line[epoch] == member else "lightgray"
            axes.plot([epoch, epoch + 1], [before["rate"], row["rate"]], color=color)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def main(members: int = 8, epochs: int = 20, seed: int = 42) -> dict:
    """MEMBERS networks, alike but for their learning rates, are trained for EPOCHS epochs."""
    if members < 4 or epochs < INTERVAL:
        raise typer.BadParameter("--members and --epochs start at 4")
    data, chosen, command = digits(), rates(members, seed), psutil.Process().create_time()

    start, histories = time.time(), []
    for member, rate in enumerate(chosen):
        config = dict(member=member, rate=rate, epochs=epochs, seed=seed)
        histories.append(train(config, data))
    ready, seconds = start - command, time.time() - start

    best = min(range(members), key=lambda member: histories[member][-1]["loss"])
    line, loss = descent(histories, best), histories[best][-1]["loss"]
    schedule = [histories[member][epoch]["rate"] for epoch, member in enumerate(line)]
    file = Path("out/ray_tune/03_pbt/baseline.png")
    picture(histories, line, file)
    mean = sum(history[INTERVAL - 1]["loss"] for history in histories) / members
    items, answer = members * epochs, f"{mean:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"best: loss {loss:.4f}, {len(set(line))} members in its line; picture: {file}")
    print("its rates:", *dict.fromkeys(f"{rate:.3f}" for rate in schedule))
    print(f"{items} epochs in {seconds:.2f} s ({items / seconds:.1f} epochs/s), answer {answer}")
    figures = dict(items=items, unit="epochs", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, histories=histories, loss=loss, line=line)


if __name__ == "__main__":
    typer.run(main)
