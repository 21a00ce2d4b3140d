"""Runs one lesson script as an attendee would and reads its summary line."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workshop.lessons import ROOT, python_of
from workshop.processes import end_session

SUMMARY = re.compile(
    r"(?P<items>\d+) (?P<unit>\S+) in (?P<seconds>[\d.]+) s"
    r" \((?P<rate>[\d.]+) (?P=unit)/s\), answer (?P<answer>\S+)"
)
RELAYED = re.compile(r"(\x1b\[\d+m)*\((raylet|autoscaler|[^()]*\bpid=\d+)[^()]*\)")
READY = re.compile(r"^ready in (?P<seconds>[\d.]+) s$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """What came of one run of a script. Without a summary line, items is None."""

    exit_code: int
    stdout: str
    stderr: str
    wall_seconds: float
    items: int | None = None
    unit: str | None = None
    seconds: float | None = None
    ready_seconds: float = 0.0
    answer: str | None = None

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and self.answer is not None

    @property
    def error(self) -> str:
        """What to show a person when the run is not ok."""
        if self.exit_code == 0:
            return "it ended without a summary line; its last lines:\n" + self.stdout[-500:]
        return self.stderr.strip()[-3000:] or self.stdout.strip()[-3000:]


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt here, so that both end in the same clean-up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_script(
    script: str | Path,
    *args: str,
    env: dict[str, str] | None = None,
    timeout: float = 600,
    cwd: Path = ROOT,
    started: Callable[[subprocess.Popen], None] | None = None,
    python: str | None = None,
    launch: Callable[..., subprocess.Popen] = subprocess.Popen,
) -> Run:
    """Runs `python SCRIPT ARGS` in a session of its own and ends everything it left behind.

    A run that takes longer than timeout seconds is ended with exit code 124. The interpreter is
    that of the script's stage, unless another is given.
    """
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = launch(
            [python or python_of(script), str(script), *args],
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | (env or {}),
            start_new_session=True,
        )
        try:
            if started:
                started(process)
            exit_code, late = process.wait(timeout), ""
        except subprocess.TimeoutExpired:
            exit_code, late = 124, f"\nended after {timeout:.0f} s"
        finally:
            end_session(process.pid, grace=5 if process.returncode is None else 1)
            process.wait()
        wall = time.monotonic() - begin
        out.seek(0)
        err.seek(0)
        return read_run(exit_code, out.read(), err.read() + late, wall)


def own_lines(stdout: str) -> list[str]:
    """What a script printed itself; what Ray relays, as "(raylet) ...", may begin amid a line."""
    lines = stdout.strip().splitlines()
    return [own for line in lines if (own := RELAYED.split(line, maxsplit=1)[0]) or not line]


def read_run(exit_code: int, stdout: str, stderr: str, wall_seconds: float) -> Run:
    """Reads `ready in` and the summary, which must be the last line, from what a script printed.

    What Ray relays from other processes, at any moment, is not the script's own and not counted.
    """
    lines = own_lines(stdout)
    summary = SUMMARY.fullmatch(lines[-1]) if lines else None
    ready = READY.search(stdout)
    if not summary:
        return Run(exit_code, stdout, stderr, wall_seconds)
    return Run(
        exit_code,
        stdout,
        stderr,
        wall_seconds,
        items=int(summary["items"]),
        unit=summary["unit"],
        seconds=float(summary["seconds"]),
        ready_seconds=float(ready["seconds"]) if ready else 0.0,
        answer=summary["answer"],
    )
