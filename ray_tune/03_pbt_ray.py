"""Eight learning rates; every four epochs the two worst networks become copies of better ones.

    python ray_tune/03_pbt_ray.py

`ready` is from the command to the first epoch. The answer is the mean loss of all members after
their first four epochs: until then no search, however it goes on, has changed anything.
Last line: 160 epochs in 10.00 s (19.2 epochs/s), answer 1.000000
"""

import os  # NEW:
import random
import time
from collections import defaultdict  # NEW:
from pathlib import Path
from shutil import rmtree  # NEW:
from tempfile import TemporaryDirectory  # NEW:

import psutil
import torch
import typer
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

import ray  # NEW:
from ray import tune  # NEW:
from ray.tune.schedulers import PopulationBasedTraining  # NEW:

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


def train(config: dict, data: tuple) -> None:  # NEW:
    """One member of the population: what it was after each epoch, and whose child it is."""
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    model = network()  # NEW:
    parent = member = int(tune.get_context().get_trial_id()[-5:])  # NEW: of a copy it stays its own
    optimizer = torch.optim.SGD(model.parameters(), config["rate"], momentum=0.9)
    first = 0  # NEW:
    if found := tune.get_checkpoint():  # NEW:
        with found.as_directory() as folder:  # NEW:
            state = torch.load(f"{folder}/state.pt", weights_only=True)  # NEW:
        model.load_state_dict(state["model"])  # NEW:
        optimizer.load_state_dict(state["optimizer"])  # NEW:
        optimizer.param_groups[0]["lr"] = config["rate"]  # NEW: and not that of the parent
        first, parent = state["epoch"] + 1, state["member"]  # NEW:
    for epoch in range(first, config["epochs"]):  # NEW:
        loss = one_epoch(model, optimizer, data, epoch)
        told = dict(loss=loss, rate=config["rate"], parent=parent)  # NEW:
        state = dict(model=model.state_dict(), optimizer=optimizer.state_dict())  # NEW:
        with TemporaryDirectory() as folder:  # NEW:
            torch.save(state | dict(epoch=epoch, member=member), f"{folder}/state.pt")  # NEW:
            tune.report(told, checkpoint=tune.Checkpoint.from_directory(folder))  # NEW:
        parent = member  # NEW:


class Progress(tune.Callback):  # NEW:
    start, histories = None, defaultdict(list)  # NEW:

    def on_trial_start(self, iteration, trials, trial, **info) -> None:  # NEW:
        self.start = self.start or time.time()  # NEW:

    def on_trial_result(self, iteration, trials, trial, result, **info) -> None:  # NEW:
        told = {key: result[key] for key in ("loss", "rate", "parent")}  # NEW:
        self.histories[trials.index(trial)].append(told)  # NEW:


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

    folder, progress = Path("out/ray_tune/03_pbt").absolute(), Progress()  # NEW:
    rmtree(folder / "sweep", ignore_errors=True)  # NEW:
    os.environ |= dict(TUNE_DISABLE_SIGINT_HANDLER="1", RAY_AIR_NEW_OUTPUT="0")  # NEW:
    ray.init(log_to_driver=False)  # NEW:
    random.seed(seed)  # NEW: from which the scheduler draws
    goal = dict(time_attr="training_iteration", metric="loss", mode="min")  # NEW:
    rules = dict(hyperparam_mutations=dict(rate=tune.loguniform(1e-4, 1)), synch=True)  # NEW:
    rules |= dict(perturbation_factors=(0.5, 2), resample_probability=0)  # NEW:
    pbt = PopulationBasedTraining(perturbation_interval=INTERVAL, **rules, **goal)  # NEW:
    half = dict(cpu=ray.cluster_resources()["CPU"] / 2)  # NEW: two members at a time
    member = tune.with_resources(tune.with_parameters(train, data=data), half)  # NEW:
    space = dict(rate=tune.grid_search(chosen), epochs=epochs, seed=seed)  # NEW:
    search = tune.TuneConfig(scheduler=pbt, reuse_actors=True)  # NEW:
    kept = dict(name="sweep", storage_path=folder, callbacks=[progress], verbose=0)  # NEW:
    run = tune.RunConfig(stop={"training_iteration": epochs}, **kept)  # NEW:
    tune.Tuner(member, param_space=space, tune_config=search, run_config=run).fit()  # NEW:
    histories = [progress.histories[number] for number in range(members)]  # NEW:
    ready, seconds = progress.start - command, time.time() - progress.start  # NEW:

    best = min(range(members), key=lambda member: histories[member][-1]["loss"])
    line, loss = descent(histories, best), histories[best][-1]["loss"]
    schedule = [histories[member][epoch]["rate"] for epoch, member in enumerate(line)]
    file = Path("out/ray_tune/03_pbt/ray.png")
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
