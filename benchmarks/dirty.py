"""ray_data/04_dirty in full: 100 dirty files among 1,000, and ten kill -9 with a rerun each.

python benchmarks/dirty.py --count 1000 --bad 100 --kills 10
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import typer

from workshop import samples
from workshop.lessons import ROOT
from workshop.processes import end_session

SCRIPT = ROOT / "ray_data" / "04_dirty_ray.py"


def start(flags: list[str]) -> subprocess.Popen:
    quiet = dict(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    command = [sys.executable, str(SCRIPT), *flags]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, **quiet)


def committed(output: Path) -> set[str]:
    """The parts that are complete, by the name that Ray gave them."""
    names = {path.name for path in output.glob("*_unfinished/*/*.parquet")}
    return {name for name in names if not name.endswith(".pending.parquet")}


def killed(flags: list[str], output: Path, after: int) -> int | None:
    """Kills a run when it has written AFTER parts; how many it had, None if it was faster."""
    process, before = start(flags), committed(output)
    while process.poll() is None:
        parts = len(committed(output) - before)
        if parts >= after:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    process.communicate()
    return parts if process.returncode == -signal.SIGKILL and committed(output) else None


def finished(flags: list[str]) -> tuple[int, str]:
    process = start(flags)
    printed = process.communicate()[0]
    end_session(process.pid, grace=5)
    return process.returncode, printed


def held(output: Path, kinds: dict[str, str]) -> tuple[bool, bool]:
    """Whether every good file is there once, and every bad one in quarantine once."""
    rows = pq.read_table(output / "04_dirty_ray").to_pylist()
    good, bad = (
        sorted(row["file"] for row in rows if row["state"] == state)
        for state in ("good", "quarantine")
    )
    right_bad = sorted(file for file, kind in kinds.items() if kind in samples.BAD)
    return good == sorted(kinds.keys() - set(right_bad)), bad == right_bad


def main(count: int = 1000, bad: int = 100, kills: int = 10, seed: int = 42) -> None:
    """KILLS times a killed run and its rerun, over COUNT files of which BAD are dirty."""
    rng, wrong, answers = random.Random(seed), 0, set()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "dirty")
        print(samples.dirty(data, count, bad, seed=seed))
        rows = pq.read_table(f"{data}.parquet").to_pylist()
        kinds = {row["file"]: row["kind"] for row in rows}
        done = 0
        while done < kills:
            output = Path(folder, f"out{done}")
            flags = ["--images", str(count), "--input", str(data), "--output", str(output)]
            parts = killed(flags, output, after=rng.randint(1, count // 10 * 2 // 3))
            if parts is None:
                print("the run was over before it could be killed: again")
                continue
            code, printed = finished(flags)
            lines = printed.splitlines()
            now = next((line for line in lines if " done now, " in line), "no line")
            good, quarantined = held(output, kinds) if code == 0 else (False, False)
            answers.add(lines[-1].rpartition(" ")[2] if code == 0 else None)
            resumed = code == 0 and 0 < int(now.split()[0]) < count
            fine = good and quarantined and resumed
            wrong += not fine
            done += 1
            print(
                f"kill {done}: after {parts} parts; rerun: {now}; every good file once: {good},"
                f" every bad one in quarantine once: {quarantined}",
                flush=True,
            )
    print(f"{kills - wrong} of {kills} kills held; answers: {answers}")
    raise typer.Exit(bool(wrong or len(answers) != 1))


if __name__ == "__main__":
    typer.run(main)
