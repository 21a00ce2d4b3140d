"""A sweep in which one configuration always crashes and one trial is killed: Tune tries again, from
the last checkpoint. Killed itself and started again with the same flags, the sweep goes on.

    python ray_tune/05_faults_ray.py

`ready` is from the command to the first epoch; the answer is the smallest loss that was found.
Last line: 6 trials in 7.48 s (0.8 trials/s), answer 0.304491
"""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory  # NEW:

import psutil
import torch
import typer
from torch.nn.functional import cross_entropy

import ray  # NEW:
from ray import tune  # NEW:

from workshop import digits, sweeps  # NEW:
from workshop.faults import EpochLog, network, repeated, sweep, tell

BATCH, TRAIN, RETRIES = 32, 1400, 1


def train(config: dict) -> None:  # NEW:
    """One trial: it writes each epoch that it begins into the log, with its process id."""
    chosen, log = config["chosen"], EpochLog(config["log"])
    pixels, labels = digits.unshuffled()
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    model = network(chosen["groups"])
    optimizer = torch.optim.SGD(model.parameters(), chosen["rate"], momentum=0.9)
    first = 0  # NEW:
    if found := tune.get_checkpoint():  # NEW:
        with found.as_directory() as folder:  # NEW:
            state = torch.load(f"{folder}/state.pt", weights_only=True)  # NEW:
        model.load_state_dict(state["model"])  # NEW:
        optimizer.load_state_dict(state["optimizer"])  # NEW:
        first = state["epoch"] + 1  # NEW:
    for epoch in range(first, config["epochs"]):  # NEW:
        log.begin(chosen["trial"], epoch)
        torch.manual_seed(epoch)
        for batch in torch.randperm(TRAIN).split(BATCH):
            loss = cross_entropy(model(pixels[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch == chosen["killed_in"]:
            log.kill_once()
        with torch.inference_mode():
            loss = cross_entropy(model(pixels[TRAIN:]), labels[TRAIN:]).item()
        state = dict(model=model.state_dict(), optimizer=optimizer.state_dict())  # NEW:
        with TemporaryDirectory() as folder:  # NEW:
            torch.save(state | dict(epoch=epoch), f"{folder}/state.pt")  # NEW:
            new = tune.Checkpoint.from_directory(folder)  # NEW:
            tune.report(dict(trial=chosen["trial"], loss=loss), checkpoint=new)  # NEW:


def main(trials: int = 6, epochs: int = 8, seed: int = 42) -> dict:
    """TRIALS configurations for EPOCHS each, of which one cannot work and one is killed once."""
    if trials < 3 or epochs < 2:
        raise typer.BadParameter("--trials starts at 3, --epochs at 2")
    folder = Path("out/ray_tune/05_faults").absolute() / f"{trials}-{epochs}-{seed}"  # NEW:
    begun = tune.Tuner.can_restore(folder) and not (folder / "over").exists()  # NEW:
    if not begun:  # NEW: else a sweep with these flags goes on
        sweeps.fresh(folder)  # NEW:
    log = EpochLog(folder / "epochs.log")

    config = dict(epochs=epochs, seed=seed, log=str(log.file))
    sweeps.quietly()  # NEW:
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
        progress = sweeps.Progress("trial {trial}: loss {loss:.4f}")  # NEW:
        kept = dict(name=folder.name, storage_path=folder.parent, callbacks=[progress])  # NEW:
        run = tune.RunConfig(verbose=0, **kept, **retry)  # NEW:
        tuner = tune.Tuner(train, param_space=space, tune_config=search, run_config=run)  # NEW:
    results = tuner.fit()  # NEW:
    losses = {one.metrics["trial"]: one.metrics["loss"] for one in results if not one.error}  # NEW:
    failures, end = sweeps.failures(folder), time.time()  # NEW:

    made = log.steps()
    first = next((step.moment for step in made if step.moment > start), end)  # NEW:
    again = sum(step.moment > start and step.trial in before for step in made)  # NEW:
    if begun:  # NEW:
        print(f"{len(before)} trials were done before: {again} epochs of theirs made again")  # NEW:
    tell(failures, losses, 1 + RETRIES)
    twice = repeated(made)
    print(f"{len(losses)} trials done in {len(made)} epochs, of which {twice} were made again")
    items, answer = trials - len(before), f"{min(losses.values()):.6f}"  # NEW:
    ready, seconds = first - psutil.Process().create_time(), end - first
    print(f"ready in {ready:.1f} s")
    print(f"{items} trials in {seconds:.2f} s ({items / seconds:.1f} trials/s), answer {answer}")
    (folder / "over").touch()  # NEW:
    figures = dict(items=items, unit="trials", seconds=seconds, ready_seconds=ready)
    figures |= dict(answer=answer, losses=losses, failures=failures)
    figures |= dict(before=before, again=again)  # NEW:
    return figures | dict(epochs=len(made), repeated=twice)


if __name__ == "__main__":
    typer.run(main)
