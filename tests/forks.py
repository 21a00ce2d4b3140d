"""Runs scripts in processes forked from one that has imported what takes seconds to import.

What reads the environment when it is imported, as ray.data does, is left to the scripts.
"""

import atexit
import contextlib
import multiprocessing
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from multiprocessing import forkserver, reduction
from operator import methodcaller
from pathlib import Path
from types import ModuleType
from typing import IO

import pytest

from workshop import llm

SLOW = ["pandas", "pyarrow.parquet", "ray", "sklearn.datasets", "torch", "transformers"]
OF_VLLM = ["vllm.entrypoints.llm", "vllm.v1.engine.llm_engine", "vllm.v1.worker.cpu_worker"]
TESTS = Path(__file__).parent
FORKS = multiprocessing.get_context("forkserver")


def start_the_server() -> None:
    """With vLLM's environment, which it reads when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        if llm.has_vllm():
            patch.setattr(os, "environ", os.environ | llm.environment())
        FORKS.set_forkserver_preload(SLOW + (OF_VLLM if llm.has_vllm() else []))
        forkserver.ensure_running()


@contextlib.contextmanager
def as_an_interpreter_ends() -> Iterator[None]:
    """What multiprocessing leaves out: a traceback as usual, threads, functions of atexit."""
    try:
        yield
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()


class Inherited:
    """An open file; the forked process finds its own descriptor of it in this place."""

    def __init__(self, file: IO) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return methodcaller("detach"), (reduction.DupFd(self.file.fileno()),)


def become(command: list[str], cwd: str, env: dict[str, str], *outputs: int) -> None:
    """In the forked process: from here on it is `python SCRIPT ARGS`, in a session of its own."""
    os.setsid()
    os.chdir(cwd)
    for number, output in enumerate(outputs, start=1):
        os.dup2(output, number)
    os.environ.clear()
    os.environ.update(env)
    script = command[0]
    sys.argv[:] = command
    ours = [path for path in sys.path if TESTS in (Path(path), *Path(path).parents)]
    sys.path[:] = [str(Path(script).parent), *(path for path in sys.path if path not in ours)]
    sys.stdout.reconfigure(write_through=True)
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__file__ = script  # processes that the script spawns load it again from here
    with as_an_interpreter_ends():
        exec(compile(Path(script).read_text(), script, "exec"), main.__dict__)  # noqa: S102


class Fork:
    """Takes what subprocess.Popen takes, and is used like one."""

    def __init__(
        self, command: list[str], *, stdout: IO, stderr: IO, cwd: Path, env: dict[str, str], **_
    ) -> None:
        assert command[0] == sys.executable, "another interpreter has other modules"
        start_the_server()
        given = (list(map(str, command[1:])), str(cwd), env, Inherited(stdout), Inherited(stderr))
        self.process = FORKS.Process(target=become, args=given)
        self.process.start()
        self.pid = self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.returncode
