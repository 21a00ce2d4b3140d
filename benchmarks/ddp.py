"""Lesson ray_train/01, both twins in turn: losses, steady samples/s, seconds to the first step.

    python benchmarks/ddp.py --runs 5

With two workers both cores of a two-core machine are full, with one a core is free. After the
rounds, one more run says how much CPU each kind of Ray's processes took per second of training.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from statistics import median

import psutil
import typer

from workshop.lessons import ROOT
from workshop.processes import end_session, members
from workshop.runner import Run, run_script

SCRIPTS = ("ray_train/01_ddp_baseline.py", "ray_train/01_ddp_ray.py")


def measured(script: str, workers: int) -> tuple[Run, list[str]]:
    """A run and its losses, as printed, by epoch."""
    run = run_script(script, "--workers", str(workers))
    if not run.ok:
        sys.exit(f"{script} --workers {workers} failed:\n{run.error}")
    return run, re.findall(r"epoch \d+: loss (\S+)", run.stdout)


def cpu_seconds(session: int) -> Counter:
    """CPU seconds so far of the live processes of a session, by pid and title."""
    found: Counter = Counter()
    for process in members(session):
        try:
            times, title = process.cpu_times(), process.cmdline() or [process.name()]
            name = re.sub(r"\W.*", "", title[0].removeprefix("ray::").rpartition("/")[2])
            found[process.pid, name] = times.user + times.system
        except psutil.Error:
            continue
    return found


def profile() -> None:
    """CPU seconds of every kind of process per second, from the first epoch's end to the last's."""
    command = [sys.executable, SCRIPTS[1], "--epochs", "8"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    before = after = Counter()
    seconds = 0.0
    for line in process.stdout:
        if "epoch 0:" in line:
            before = cpu_seconds(process.pid)
        if "epoch 7:" in line:
            after = cpu_seconds(process.pid)
        if found := re.match(r"\d+ samples in ([\d.]+) s", line):
            seconds = float(found[1])
    end_session(process.pid)
    kinds: Counter = Counter()
    for (pid, name), spent in after.items():
        kinds[name] += spent - before.get((pid, name), 0.0)
    for name, spent in kinds.most_common(8):
        print(f"{name:28} {spent / seconds:5.2f} CPU-seconds a second")


def main(runs: int = 5) -> None:
    """RUNS alternating runs of each twin, with two workers and with one."""
    if runs < 1:
        raise typer.BadParameter("--runs starts at 1")
    for workers in (2, 1):
        ratios, firsts = [], ([], [])
        for number in range(1, runs + 1):
            (a, a_losses), (b, b_losses) = (measured(script, workers) for script in SCRIPTS)
            same = "equal" if a_losses == b_losses else f"DIFFERENT: {a_losses} {b_losses}"
            rates = [run.items / run.seconds for run in (a, b)]
            ratios.append(rates[1] / rates[0])
            for first, run in zip(firsts, (a, b), strict=True):
                first.append(run.ready_seconds)
            print(
                f"{workers} workers, round {number}: torch {rates[0]:.0f}, Ray {rates[1]:.0f}"
                f" samples/s, ratio {ratios[-1]:.2f}; first step after {a.ready_seconds:.1f} and"
                f" {b.ready_seconds:.1f} s; losses {same}",
                flush=True,
            )
        print(
            f"{workers} workers, medians: ratio {median(ratios):.2f}, first step after"
            f" {median(firsts[0]):.1f} and {median(firsts[1]):.1f} s\n",
            flush=True,
        )
    profile()


if __name__ == "__main__":
    typer.run(main)
