"""What every sweep of ray_tune has besides its lesson: progress, an empty folder, Ctrl-C."""

import os
import shutil
import time
from pathlib import Path

from ray import tune


class Progress(tune.Callback):
    """Prints a line as each trial ends; start is when the first began, reports is what came.

    LINE is a format string: {number} of the trial, what is in its config, and its last report.
    """

    def __init__(self, line: str = "") -> None:
        self.line, self.start, self.reports = line, None, []

    def on_trial_start(self, trials, trial, **info) -> None:
        self.start = self.start or time.time()

    def on_trial_result(self, result, **info) -> None:
        self.reports.append(result)

    def on_trial_complete(self, trials, trial, **info) -> None:
        if self.line:
            known = trial.config | trial.last_result | dict(number=trials.index(trial))
            print(self.line.format(**known), flush=True)


def failures(folder: Path) -> dict[int, list[str]]:
    """What Tune wrote down of each failure of a trial, by the name of the trial's folder.

    "?" stands for all of them where there is nothing: the sweep was killed while it wrote.
    """
    texts = {int(file.parent.name): file.read_text() for file in folder.glob("*/error.txt")}
    return {name: text.strip().split("Failure # ")[1:] or ["?"] for name, text in texts.items()}


def quietly() -> None:
    """No tables of Tune's, and Ctrl-C ends the script: Tune would end the search, and go on."""
    os.environ |= dict(TUNE_DISABLE_SIGINT_HANDLER="1", RAY_AIR_NEW_OUTPUT="0")


def fresh(folder: Path) -> Path:
    """The folder's absolute path, as Tune wants it, with nothing in it of an earlier sweep."""
    quietly()
    shutil.rmtree(folder, ignore_errors=True)
    return folder.absolute()
