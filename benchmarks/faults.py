"""ray_train/03_faults in full: workers and drivers killed at seeded random moments (alone on the
machine, about 45 s a killed worker and 70 s a killed driver).

python benchmarks/faults.py --kills 10 --drivers 10
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer

from workshop.lessons import ROOT
from workshop.processes import end_session

SCRIPT, CALL_MAIN = ROOT / "ray_train" / "03_faults_ray.py", ROOT / "tests" / "call_main.py"
POLL = 0.2  # seconds: an epoch reported longer ago than this is never repeated


def start(folder: Path, **arguments: int) -> subprocess.Popen:
    """main(**arguments) in a process of its own, with its checkpoints and logs below FOLDER."""
    command = [sys.executable, str(CALL_MAIN), str(SCRIPT), json.dumps(arguments)]
    quiet = dict(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return subprocess.Popen(command, cwd=folder, start_new_session=True, **quiet)


def finished(process: subprocess.Popen) -> dict:
    """What main() returned."""
    printed = process.communicate()[0]
    end_session(process.pid, grace=5)
    if process.returncode:
        sys.exit(f"{SCRIPT.name} ended with exit code {process.returncode}:\n{printed[-2000:]}")
    return json.loads(printed.rpartition("RETURNED ")[2].partition("\n")[0])


def steps(folder: Path, driver: int) -> list[list]:
    """[time, process id, rank, epoch, batch] of every step under this driver, in their order."""
    logs = list(folder.glob(f"out/ray_train/*/steps-{driver}.log"))
    lines = logs[0].read_text().rpartition("\n")[0].splitlines() if logs else []
    return sorted(map(json.loads, lines))


def too_many(repeated: int, epoch: int, moment: float, made: list[list]) -> bool:
    """Whether an epoch was repeated that had been reported more than one poll before the kill.

    An epoch has been reported by all workers when each has made a step of the one after it.
    """
    if repeated <= 0:
        return False
    first = {}
    for when, _, rank, *step in made:
        if step == [epoch, 0] and when < moment:
            first.setdefault(rank, when)
    return repeated > 1 or moment - max(first.values()) > POLL


def kill_a_worker(folder: Path, epochs: int, number: int, right: list[float]) -> tuple[bool, float]:
    process = start(folder, epochs=epochs, kills=1, kill_seed=number)
    found = finished(process)
    ((moment, _, rank, epoch, batch),), ((wait, repeated),) = found["killed"], found["recoveries"]
    equal = found["losses"] == right
    lost = too_many(repeated, epoch, moment, steps(folder, process.pid))
    print(
        f"worker {number}: rank {rank} in epoch {epoch} after batch {batch}; next step after"
        f" {wait:.1f} s, {repeated} epochs repeated, losses equal: {equal}",
        flush=True,
    )
    return equal and not lost, wait


def kill_a_driver(folder: Path, epochs: int, number: int, right: list[float]) -> tuple[bool, float]:
    chance = random.Random(number)
    # not in the last epochs: the workers outlive their driver by a second or two, and may finish
    moment = [chance.randrange(1, max(2, epochs - 3)), chance.randrange(10, 24)]
    process = start(folder, epochs=epochs, kills=0)
    while not any(step[3:] >= moment for step in steps(folder, process.pid)):
        if process.poll() is not None:
            sys.exit("the run was over before its driver was killed")
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    killed = time.time()
    process.communicate()
    again = start(folder, epochs=epochs, kills=0)
    found = finished(again)
    end_session(process.pid, grace=1)
    before, first = steps(folder, process.pid), steps(folder, again.pid)[0]
    interrupted = [step for step in before if step[0] <= killed][-1][3]
    equal = found["losses"] == right
    lost = too_many(interrupted - first[3], interrupted, killed, before)
    print(
        f"driver {number}: killed in epoch {interrupted}; its workers made steps for another"
        f" {max(0.0, before[-1][0] - killed):.1f} s, up to epoch {before[-1][3]}; started again:"
        f" epoch {first[3]} after {first[0] - killed:.1f} s, losses equal: {equal}",
        flush=True,
    )
    return equal and not lost, first[0] - killed


def main(kills: int = 10, drivers: int = 10, epochs: int = 8) -> None:
    """KILLS runs with a killed worker, and DRIVERS with a killed driver and a second start."""
    with tempfile.TemporaryDirectory() as folder:
        right = finished(start(Path(folder), epochs=epochs, kills=0))["losses"]
        print(f"left in peace: final loss {right[-1]!r}", flush=True)
        held, waits = {}, {}
        for what, count, one in (
            ("workers", kills, kill_a_worker),
            ("drivers", drivers, kill_a_driver),
        ):
            done = [one(Path(folder), epochs, number, right) for number in range(count)]
            held[what], waits[what] = [fine for fine, _ in done], [wait for _, wait in done]
    for what, fine in held.items():
        if fine:
            median = statistics.median(waits[what])
            print(f"{what}: {sum(fine)} of {len(fine)} held, median {median:.1f} s to a step")
    raise typer.Exit(not all(map(all, held.values())))


if __name__ == "__main__":
    typer.run(main)
