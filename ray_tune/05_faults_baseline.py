"""A sweep in which one configuration always crashes and one trial is killed: a loop, a process for
each trial, and retries by hand. Whoever kills the loop itself starts over.

    python ray_tune/05_faults_baseline.py

`ready` is from the command to the first epoch; the answer is the smallest loss that was found.
Last line: 6 trials in 10.39 s (0.6 trials/s), answer 0.304491
"""

import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from shutil import rmtree
from traceback import format_exception_only

import psutil
import torch
import typer
from torch.nn.functional import cross_entropy

from workshop import digits
from workshop.faults import EpochLog, network, repeated, sweep, tell

BATCH, TRAIN, RETRIES = 32, 1400, 1


def train(config: dict) -> float:
    """One trial: it writes each epoch that it begins into the log, with its process id."""
    chosen, log = config["chosen"], EpochLog(config["log"])
    pixels, labels = digits.unshuffled()
    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    model = network(chosen["groups"])
    optimizer = torch.optim.SGD(model.parameters(), chosen["rate"], momentum=0.9)
    for epoch in range(config["epochs"]):
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
    return loss


def main(trials: int = 6, epochs: int = 8, seed: int = 42) -> dict:
    """TRIALS configurations for EPOCHS each, of which one cannot work and one is killed once."""
    if trials < 3 or epochs < 2:
        raise typer.BadParameter("--trials starts at 3, --epochs at 2")
    folder = Path("out/ray_tune/05_faults").absolute() / "baseline"
    rmtree(folder, ignore_errors=True)
    log = EpochLog(folder / "epochs.log")

    config = dict(epochs=epochs, seed=seed, log=str(log.file))
    losses, failures = {}, {}
    for chosen in sweep(trials, epochs, seed):
        for _ in range(1 + RETRIES):
            try:
                with ProcessPoolExecutor(1) as process:
                    work = process.submit(train, config | dict(chosen=chosen))
                    losses[chosen["trial"]] = work.result()
                print(f"trial {chosen['trial']}: loss {work.result():.4f}", flush=True)
                break
            except Exception as error:  # it crashed, or its process died
                failures.setdefault(chosen["trial"], []).append(
                    format_exception_only(error)[-1].strip()
                )
    end = time.time()

    made = log.steps()
    first = made[0].moment
    tell(failures, losses, 1 + RETRIES)
    twice = repeated(made)
    print(f"{len(losses)} trials done in {len(made)} epochs, of which {twice} were made again")
    items, answer = trials, f"{min(losses.values()):.6f}"
    ready, seconds = first - psutil.Process().create_time(), end - first
    print(f"ready in {ready:.1f} s")
    print(f"{items} trials in {seconds:.2f} s ({items / seconds:.1f} trials/s), answer {answer}")
    figures = dict(items=items, unit="trials", seconds=seconds, ready_seconds=ready)
    figures |= dict(answer=answer, losses=losses, failures=failures)
    return figures | dict(epochs=len(made), repeated=twice)


if __name__ == "__main__":
    typer.run(main)
