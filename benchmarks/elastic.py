"""Lesson ray_train/10, measured: a machine is lost and comes back, RUNS times.

    .venv/bin/python benchmarks/elastic.py

Alone on the machine: three runs take about six minutes. Each run has to go on with one worker
within 40 s of the loss and with two within 25 s of the return, and to do every epoch.
"""

import re

import typer

from workshop.lessons import ROOT
from workshop.runner import run_script

SCRIPT = ROOT / "ray_train" / "10_elastic_ray.py"
DOWN, UP = 40, 25  # seconds
CHANGE = re.compile(r"^(\d+) -> (\d+) workers: ([\d.]+) s, ([\d.]+) without a step$", re.MULTILINE)
EPOCHS = re.compile(r"^(\d+) epochs, (\d+) of them begun twice, last loss ([\d.]+)$", re.MULTILINE)


def verdict(printed: str, epochs: int) -> tuple[str, bool]:
    """What a run printed, in one line, and whether it holds."""
    changes = [(int(a), int(b), float(s), float(p)) for a, b, s, p in CHANGE.findall(printed)]
    done, twice, loss = EPOCHS.search(printed).groups()
    text = "; ".join(f"{a} -> {b} after {s} s, {p} s without a step" for a, b, s, p in changes)
    sizes = [change[:2] for change in changes] == [(2, 1), (1, 2)]
    holds = sizes and changes[0][2] <= DOWN and changes[1][2] <= UP and int(done) == epochs
    return f"{text}; {done} epochs, {twice} begun twice, loss {loss}", bool(holds)


def main(runs: int = 3, epochs: int = 60, seed: int = 42) -> None:
    """RUNS runs of EPOCHS epochs; they have to outlast the return of the machine."""
    held, answers = 0, set()
    for number in range(1, runs + 1):
        flags = ("--rejoin", "--epochs", str(epochs), "--seed", str(seed))
        run = run_script(SCRIPT, *flags)
        if not run.ok:
            raise SystemExit(f"run {number}: {run.error}")
        text, holds = verdict(run.stdout, epochs)
        held += holds
        answers.add(run.answer)
        print(f"run {number}, {run.wall_seconds:.0f} s: {text}: {holds}", flush=True)
    print(f"{held} of {runs} runs within {DOWN} and {UP} s; answers: {answers}")
    raise typer.Exit(held < runs or len(answers) != 1)


if __name__ == "__main__":
    typer.run(main)
