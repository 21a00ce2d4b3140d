"""The faults of ray_tune/05, and what it counts: each epoch begun is a line in one file."""

import json
import os
import signal
import time
from pathlib import Path
from random import Random
from textwrap import shorten
from typing import NamedTuple

from torch import nn


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


def network(groups: int) -> nn.Module:
    """For digits (n, 1, 8, 8); raises ValueError if 16 channels do not go into GROUPS."""
    second = nn.Conv2d(16, 64, 3, groups=groups)
    layers = nn.Conv2d(1, 16, 3), nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 10))


class Step(NamedTuple):
    """An epoch that was begun: when, by which process, of which trial."""

    moment: float
    pid: int
    trial: int
    epoch: int


class EpochLog:
    """A file to which many processes add lines."""

    def __init__(self, file: str) -> None:
        self.file = Path(file)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.touch()

    def begin(self, trial: int, epoch: int) -> None:
        with self.file.open("a") as lines:
            print(json.dumps([time.time(), os.getpid(), trial, epoch]), file=lines)

    def kill_once(self) -> None:
        """kill -9 of this process, unless one was killed here before."""
        killed = self.file.with_suffix(".killed")
        if not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def steps(self) -> list[Step]:
        return [Step(*json.loads(line)) for line in self.file.read_text().splitlines()]


def repeated(steps: list[Step]) -> int:
    """How many epochs were made that had been made before."""
    return len(steps) - len({(step.trial, step.epoch) for step in steps})


def tell(failures: dict[int, list[str]], done: dict, attempts: int) -> None:
    """A line for each trial that failed: how often, whether it is done now, and why at last."""
    for trial, texts in sorted(failures.items()):
        fate, why = "then done" if trial in done else "given up", texts[-1].splitlines()[-1]
        said = f"trial {trial} failed {len(texts)} of {attempts} times, {fate}: {why}"
        print(shorten(said, 98))
