"""What the tests share: the local Ray that scripts join, and ways to run a lesson.

A run of a lesson costs 5 to 50 seconds, so what can be learned from one run is not run twice:
see as_attendee and refusal.
"""

import ast
import fcntl
import functools
import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import ray
from ray._private.parameter import RayParams

from forks import Fork
from workshop import web
from workshop.lessons import ROOT, python_of
from workshop.processes import end_session
from workshop.runner import Run, read_run, run_script

LOCKS = Path(tempfile.gettempdir(), f"ray-workshop-tests-{os.getuid()}")
CALL_MAIN = ROOT / "tests" / "call_main.py"
LOGICAL_CPUS = 8
# Of slowness(), estimated: it was 3.9 where ray_train/05 took 1.9 times the seconds in its README.
QUIET_SECONDS = 2.0


class Machine:
    """Two cores, which tests share, or of which one has all; between all pytest processes.

    Who waits for the whole machine holds the gate meanwhile, so that nobody else can go ahead.
    """

    alone = False

    @contextmanager
    def held(self, alone: bool) -> Iterator[None]:
        LOCKS.mkdir(exist_ok=True)
        with (LOCKS / "gate").open("w") as gate, (LOCKS / "machine").open("w") as cores:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(cores, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(gate, fcntl.LOCK_UN)
            self.alone = alone or "PYTEST_XDIST_WORKER" not in os.environ
            yield


class SharedRay:
    """A local Ray with eight logical CPUs that starts on first use and can be stopped."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    def env(self) -> dict[str, str]:
        """The environment in which a script joins it."""
        if not ray.is_initialized():
            self.folder = Path(tempfile.mkdtemp(prefix="rw", dir="/tmp"))
            # A port of its own, which ray.init() cannot be told: with the default one, a second
            # Ray on the machine has no agent, and no jobs, logs and metrics.
            agent = functools.partial(RayParams, dashboard_agent_listen_port=0)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ray._private.parameter, "RayParams", agent)
                ray.init(
                    "local",
                    num_cpus=LOGICAL_CPUS,
                    object_store_memory=2_000_000_000,
                    log_to_driver=False,
                    _temp_dir=str(self.folder),
                )
        address = ray.get_runtime_context().gcs_address
        return {"RAY_ADDRESS": address, "RAY_AUTH_MODE": "token"}

    def stop(self) -> None:
        if ray.is_initialized():
            ray.shutdown()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


@dataclass(frozen=True)
class Call:
    """What main() of a lesson returned, and the run that it came from."""

    figures: dict
    run: Run


def returned(run: Run) -> Call:
    """The run, read without the figures that tests/call_main.py prints at its end, if it did."""
    printed, found, figures = run.stdout.rpartition("RETURNED ")
    if run.exit_code or not found:
        return Call({}, run)
    figures = figures.partition("\n")[0]  # Ray may relay a line of its own even after it
    return Call(json.loads(figures), read_run(0, printed, run.stderr, run.wall_seconds))


def call_main(script: str | Path, arguments: dict, env: dict[str, str], **more) -> Call:
    """Calls the script's main(**arguments) in a process of its own; more goes to run_script."""
    how = dict(env=env, python=python_of(script), timeout=150, launch=Fork) | more
    run = run_script(CALL_MAIN, script, json.dumps(arguments), **how)
    assert run.exit_code == 0, run.error
    return returned(run)


SHARED, MACHINE = SharedRay(), Machine()
KILL_9 = -signal.SIGKILL  # the exit code


def run_until(happened: Callable[[int], bool], script: str | Path, *flags: str, **more) -> Run:
    """The run of a script on the shared Ray; kill -9 as soon as happened(its process id)."""

    def watch(process: subprocess.Popen) -> None:
        while process.poll() is None:
            if happened(process.pid):
                os.kill(process.pid, signal.SIGKILL)
                return
            time.sleep(0.01)

    def started(process: subprocess.Popen) -> None:
        threading.Thread(target=watch, args=(process,), daemon=True).start()

    how = dict(env=SHARED.env(), timeout=120) | more
    return run_script(script, *flags, started=started, **how)


def main_of(script: str | Path) -> ast.FunctionDef:
    tree = ast.parse((ROOT / script).read_text())
    return next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main")


def flags_of(script: str | Path) -> dict[str, str]:
    """Name and default of every parameter of main, which are the script's flags."""
    arguments = main_of(script).args
    defaults = [ast.unparse(default) for default in arguments.defaults]
    return dict(zip((a.arg for a in arguments.args), defaults, strict=True))


def size_flag(script: str | Path) -> tuple[str, int]:
    """The first parameter of main: how much work there is."""
    name, default = next(iter(flags_of(script).items()))
    return name, int(default)


def slowness() -> float:
    """How many times as long as on the READMEs' machine a start takes here and now; at least 1.

    Of two processes that import torch, as most scripts do. Beside another test it takes longer.
    """
    start = time.perf_counter()
    for process in [subprocess.Popen([sys.executable, "-c", "import torch"]) for _ in range(2)]:
        process.wait()
    return max(1.0, (time.perf_counter() - start) / QUIET_SECONDS)


def twins(baseline: object, ray: object) -> list:
    """Both, as parameters of a test that runs them at length: the baseline in test-all only."""
    thorough = pytest.param(baseline, id="baseline", marks=pytest.mark.thorough)
    return [thorough, pytest.param(ray, id="ray")]


ATTENDED: dict[tuple[Path, bool], Call] = {}


def as_attendee(script: str | Path) -> Call:
    """The run without any flag, on the shared Ray; made once for all tests that read it.

    In a new process, not a forked one. A run that failed has no figures; one that had the machine
    to itself serves those that need that, and all others.
    """
    path = ROOT / script
    made = ATTENDED.get((path, True)) or ATTENDED.get((path, MACHINE.alone))
    if not made:
        how = dict(env=SHARED.env(), python=python_of(script), timeout=280)
        made = ATTENDED[path, MACHINE.alone] = returned(run_script(CALL_MAIN, path, **how))
    return made


@contextmanager
def served(script: str | Path) -> Iterator[tuple[str, float]]:
    """The base URL of the service in an attendee's run, and the seconds of the load that the run
    measures; the run is as_attendee's, but has no end before the block ends.
    """
    path, alone = ROOT / script, MACHINE.alone
    with ThreadPoolExecutor(1) as thread, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "loaded")
        how = dict(env=SHARED.env() | {"LOADED": str(file)}, python=python_of(script))
        how["timeout"] = 1500  # with N=2 it is held while the story has the machine to itself
        run = thread.submit(run_script, CALL_MAIN, path, **how)
        while not file.exists():
            assert not run.done(), run.result().error
            time.sleep(0.05)
        loaded, begin = json.loads(file.read_text()), time.monotonic()
        try:
            yield loaded["url"], loaded["seconds"]
        finally:
            held = time.monotonic() - begin
            file.unlink()
            ended = run.result()
            ended = replace(ended, wall_seconds=ended.wall_seconds - held)
            ATTENDED[path, alone] = returned(ended)


def free_port() -> int:
    """A port on which nobody listens, for a server that a test starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def held(script: str | Path, *flags: str, env: dict[str, str] | None = None) -> Iterator[str]:
    """The base URL of a service that the script holds up, on a free port, while the block runs."""
    port = free_port()
    command = [python_of(script), str(ROOT / script), "--hold", "--port", str(port), *flags]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command,
            stdout=said,
            stderr=said,
            cwd=ROOT,
            env=os.environ | (SHARED.env() if env is None else env),
            start_new_session=True,
        )
        try:
            web.wait_until_healthy(port, lambda: process.poll() is None)
            yield f"http://{web.HOST}:{port}"
        except RuntimeError as error:
            said.seek(0)
            raise AssertionError(f"{error}; the script said:\n{said.read()[-3000:]}") from None
        finally:
            end_session(process.pid, grace=60)  # Serve gives open requests 20 s
            process.wait()


def here(script: str | Path, **arguments) -> dict:
    """What main() returns; it runs in this process, for a twin that starts nothing and is quick."""
    return runpy.run_path(str(ROOT / script))["main"](**arguments)


def invoke(script: str | Path, *flags: str) -> tuple[int, str]:
    """Exit code and output, in one line, of the script with flags that end it at once.

    It runs in this process, which saves the seconds of its imports, and reaches no Ray.
    """
    app = typer.Typer(add_completion=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", os.environ | {"RAY_ADDRESS": "127.0.0.1:1"})
        patch.setattr(sys, "argv", [str(script)])
        patch.setattr(typer, "run", app.command())
        runpy.run_path(str(ROOT / script), run_name="__main__")
        result = CliRunner().invoke(app, flags)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, re.sub(r"[\s│]+", " ", result.output)


def refusal(script: str | Path, *flags: str) -> str:
    """What the script says to flags that it refuses before anything starts."""
    code, said = invoke(script, *flags)
    assert code == 2, said
    return said
