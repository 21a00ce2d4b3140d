"""A sweep in which one configuration always crashes and one trial is killed: Tune tries again, from
the last checkpoint. Killed itself and started again with the same flags, the sweep goes on.

    python ray_tune/05_faults_ray.py

`ready` is from the command to the first epoch; the answer is the smallest loss that was found.
Last line: 6 trials in 7.48 s (0.8 trials/s), answer 0.304491
"""

import json
import os
import signal
import time
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import TemporaryDirectory  # NEW:
from textwrap import shorten

import psutil
import torch
import typer
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

import ray  # NEW:
from ray import tune  # NEW:

BATCH, TRAIN, RETRIES = 32, 1400, 1


def sweep(trials: int, epochs: int, seed: int) -> list[dict]:
    """A configuration a trial: 16 channels do not go into 3 groups, and one process is killed."""
    chance = Random(seed)
    bad, struck = chance.sample(range(trials), 2)
    found = []
    for trial in range(trials):
        rate, groups = 10 ** chance.uniform(-3, -1), 3 if trial == bad else chance.choice([1, 2, 4])
        killed_in = epochs // 2 if trial == struck else None
        found.append(dict(trial=trial, rate=rate, groups=groups, killed_in=killed_in))
    return found


def train(config: dict) -> None:  # NEW:
    """One trial: it writes each epoch that it begins into the log, with its process id."""
    chosen, log = config["chosen"], Path(config["log"])
    digits = load_digits()
    pixels = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(digits.target)
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    second = nn.Conv2d(16, 64, 3, groups=chosen["groups"])
    layers = nn.Conv2d(1, 16, 3), nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2)
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 10))
    optimizer = torch.optim.SGD(model.parameters(), chosen["rate"], momentum=0.9)
    first = 0  # NEW:
    if found := tune.get_checkpoint():  # NEW:
        with found.as_directory() as folder:  # NEW:
            state = torch.load(f"{folder}/state.pt", weights_only=True)  # NEW:
        model.load_state_dict(state["model"])  # NEW:
        optimizer.load_state_dict(state["optimizer"])  # NEW:
        first = state["epoch"] + 1  # NEW:
    for epoch in range(first, config["epochs"]):  # NEW:
        with log.open("a") as lines:
            print(json.dumps([time.time(), os.getpid(), chosen["trial"], epoch]), file=lines)
        torch.manual_seed(epoch)
        for batch in torch.randperm(TRAIN).split(BATCH):
            loss = cross_entropy(model(pixels[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch == chosen["killed_in"] and not log.with_suffix(".killed").exists():
            log.with_suffix(".killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        with torch.inference_mode():
            loss = cross_entropy(model(pixels[TRAIN:]), labels[TRAIN:]).item()
        state = dict(model=model.state_dict(), optimizer=optimizer.state_dict())  # NEW:
        with TemporaryDirectory() as folder:  # NEW:
            torch.save(state | dict(epoch=epoch), f"{folder}/state.pt")  # NEW:
            new = tune.Checkpoint.from_directory(folder)  # NEW:
            tune.report(dict(trial=chosen["trial"], loss=loss), checkpoint=new)  # NEW:


class Progress(tune.Callback):  # NEW:
    def on_trial_complete(self, iteration, trials, trial, **info) -> None:  # NEW:
        print("trial {trial}: loss {loss:.4f}".format(**trial.last_result), flush=True)  # NEW:


def main(trials: int = 6, epochs: int = 8, seed: int = 42) -> dict:
    """TRIALS configurations for EPOCHS each, of which one cannot work and one is killed once."""
    if trials < 3 or epochs < 2:
        raise typer.BadParameter("--trials starts at 3, --epochs at 2")
    folder = Path("out/ray_tune/05_faults").absolute() / f"{trials}-{epochs}-{seed}"  # NEW:
    begun = tune.Tuner.can_restore(folder) and not (folder / "over").exists()  # NEW:
    if not begun:  # NEW: else a sweep with these flags goes on
        rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)  # NEW:
    (log := folder / "epochs.log").touch()

    config = dict(epochs=epochs, seed=seed, log=str(log))
    os.environ |= dict(TUNE_DISABLE_SIGINT_HANDLER="1", RAY_AIR_NEW_OUTPUT="0")  # NEW:
    os.environ |= dict(TUNE_GLOBAL_CHECKPOINT_S="0", TUNE_PRINT_ALL_TRIAL_ERRORS="0")  # NEW:
    ray.init(log_to_driver=False)  # NEW:
    start, before = time.time(), []  # NEW:
    if begun:  # NEW:
        tuner = tune.Tuner.restore(str(folder), train)  # NEW:
        done = [one for one in tuner.get_results() if len(one.best_checkpoints) == epochs]  # NEW:
        before = [one.metrics["trial"] for one in done]  # NEW:
    else:  # NEW:
        space = config | dict(chosen=tune.grid_search(sweep(trials, epochs, seed)))  # NEW:
        named = dict(trial_dirname_creator=lambda it: str(it.config["chosen"]["trial"]))  # NEW:
        search = tune.TuneConfig(max_concurrent_trials=2, reuse_actors=True, **named)  # NEW:
        retry = dict(failure_config=tune.FailureConfig(max_failures=RETRIES))  # NEW:
        kept = dict(name=folder.name, storage_path=folder.parent, callbacks=[Progress()])  # NEW:
        run = tune.RunConfig(verbose=0, **kept, **retry)  # NEW:
        tuner = tune.Tuner(train, param_space=space, tune_config=search, run_config=run)  # NEW:
    results = tuner.fit()  # NEW:
    losses = {one.metrics["trial"]: one.metrics["loss"] for one in results if not one.error}  # NEW:
    failures = {}  # NEW:
    for file in folder.glob("*/error.txt"):  # NEW:
        told = file.read_text().strip()  # NEW: nothing, if the sweep was killed while it wrote it
        failures[int(file.parent.name)] = told.split("Failure # ")[1:] or ["?"]  # NEW:
    end = time.time()

    made = [json.loads(line) for line in log.read_text().splitlines()]
    first = next((moment for moment, *_ in made if moment > start), end)  # NEW:
    again = sum(moment > start and trial in before for moment, _, trial, _ in made)  # NEW:
    if begun:  # NEW:
        print(f"{len(before)} trials were done before: {again} epochs of theirs made again")  # NEW:
    for trial, texts in sorted(failures.items()):
        fate, why = "then done" if trial in losses else "given up", texts[-1].splitlines()[-1]
        said = f"trial {trial} failed {len(texts)} of {1 + RETRIES} times, {fate}: {why}"
        print(shorten(said, 98))
    repeated = len(made) - len({(trial, epoch) for *_, trial, epoch in made})
    print(f"{len(losses)} trials done in {len(made)} epochs, of which {repeated} were made again")
    items, answer = trials - len(before), f"{min(losses.values()):.6f}"  # NEW:
    ready, seconds = first - psutil.Process().create_time(), end - first
    print(f"ready in {ready:.1f} s")
    print(f"{items} trials in {seconds:.2f} s ({items / seconds:.1f} trials/s), answer {answer}")
    (folder / "over").touch()  # NEW:
    figures = dict(items=items, unit="trials", seconds=seconds, ready_seconds=ready)
    figures |= dict(answer=answer, losses=losses, failures=failures)
    figures |= dict(before=before, again=again)  # NEW:
    return figures | dict(epochs=len(made), repeated=repeated)


if __name__ == "__main__":
    typer.run(main)
