"""Lesson ray_tune/05 in full: the sweep is killed at seeded random moments and started again (alone
on the machine, about 70 s a kill).

python benchmarks/tune_faults.py --kills 10
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer

from workshop.lessons import ROOT
from workshop.processes import end_session

CALL_MAIN = ROOT / "tests" / "call_main.py"


def start(twin: str, folder: Path, **arguments: int) -> subprocess.Popen:
    """main(**arguments) of a twin in a process of its own, with its results below FOLDER."""
    script = ROOT / "ray_tune" / f"05_faults_{twin}.py"
    command = [sys.executable, str(CALL_MAIN), str(script), json.dumps(arguments)]
    quiet = dict(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return subprocess.Popen(command, cwd=folder, start_new_session=True, **quiet)


def finished(process: subprocess.Popen) -> dict:
    """What main() returned."""
    printed = process.communicate()[0]
    end_session(process.pid, grace=5)
    if process.returncode:
        sys.exit(f"a run ended with exit code {process.returncode}:\n{printed[-2000:]}")
    return json.loads(printed.rpartition("RETURNED ")[2].partition("\n")[0])


def steps(folder: Path) -> list[list]:
    """[time, process id, trial, epoch] of every epoch that was begun."""
    logs = list(folder.glob("out/ray_tune/05_faults/*/epochs.log"))
    lines = logs[0].read_text().rpartition("\n")[0].splitlines() if logs else []
    return [json.loads(line) for line in lines]


def over(made: list[list], epochs: int) -> set[int]:
    """Trials that made their last epoch and whose process has gone on to another trial since."""
    last = {pid: trial for _, pid, trial, _ in made}
    return {trial for _, pid, trial, epoch in made if epoch == epochs - 1 and last[pid] != trial}


def kill(folder: Path, number: int, trials: int, epochs: int, right: dict) -> bool:
    chance = random.Random(number)
    moment = chance.randrange(epochs, (trials - 2) * epochs)
    process = start("ray", folder, trials=trials, epochs=epochs)
    while len(steps(folder)) < moment:
        if process.poll() is not None:
            sys.exit("the sweep was over before it was killed")
        time.sleep(0.01)
    time.sleep(chance.random() / 5)  # anywhere within an epoch
    os.kill(process.pid, signal.SIGKILL)
    killed = time.time()
    process.communicate()
    again = start("ray", folder, trials=trials, epochs=epochs)
    found = finished(again)
    end_session(process.pid, grace=1)
    made = steps(folder)
    before = over([step for step in made if step[0] <= killed], epochs)
    after = [step for step in made if step[1] not in {one[1] for one in made if one[0] <= killed}]
    twice = [step for step in after if step[2] in before]
    equal = found["losses"] == right
    print(
        f"kill {number}: after {moment} epochs were begun; {len(before)} trials were over,"
        f" {len(found['before'])} written down as done; again: {len(twice)} epochs of those over,"
        f" {found['again']} of those written down, {found['repeated']} in all;"
        f" first epoch after {after[0][0] - killed:.1f} s, losses equal: {equal}",
        flush=True,
    )
    return equal and not twice and not found["again"]


def main(kills: int = 10, trials: int = 8, epochs: int = 8) -> None:
    """KILLS sweeps, each killed once, each beside the baseline left in peace."""
    if kills < 1:
        raise typer.BadParameter("--kills starts at 1")
    with tempfile.TemporaryDirectory() as folder:
        right = finished(start("baseline", Path(folder), trials=trials, epochs=epochs))["losses"]
    held = []
    for number in range(kills):
        with tempfile.TemporaryDirectory() as folder:
            held.append(kill(Path(folder), number, trials, epochs, right))
    print(f"{sum(held)} of {kills} held")
    raise typer.Exit(not all(held))


if __name__ == "__main__":
    typer.run(main)
