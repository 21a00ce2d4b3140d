"""The cluster on a laptop: a node added and a node killed under a running job, and a clean end."""

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from workshop.processes import end_session
from workshop.runner import Run, run_script

LAPTOP = "clusters/laptop.py"
JOB = """
import sys, time
from pathlib import Path
import ray

folder = Path(sys.argv[1])
ray.init(log_to_driver=False)

@ray.remote
def work(i):
    with (folder / "begun").open("a") as file:
        file.write(f"{i}\\n")
    time.sleep(0.2)
    return i, ray.get_runtime_context().get_node_id()

sent, waiting, done = 0, [], []
while waiting or not (folder / "enough").exists():
    while len(waiting) < 40 and not (folder / "enough").exists():
        waiting.append(work.remote(sent))
        sent += 1
    some, waiting = ray.wait(waiting)
    i, node = ray.get(some[0])
    done.append(i)
    with (folder / "done").open("a") as file:
        file.write(f"{time.time()} {node}\\n")
assert sorted(done) == list(range(sent)), "a result is missing"
(folder / "sent").write_text(str(sent))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.2)


@pytest.fixture
def folder(ray_alone) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="rl", dir="/tmp"))
    yield folder
    laptop(folder, "down")


def laptop(folder: Path, *arguments: str, **more) -> Run:
    """Runs the command; its session is not the nodes', so these outlive it."""
    return run_script(LAPTOP, *arguments, env={"LAPTOP_CLUSTER": str(folder)}, timeout=170, **more)


def up(folder: Path) -> dict[str, str]:
    """Starts the head; returns what the line says that is to be typed next."""
    ports = ("--port", str(free_port()), "--dashboard-port", str(free_port()))
    result = laptop(folder, "up", *ports)
    assert result.exit_code == 0, result.error
    assert "http://127.0.0.1:" in result.stdout
    line = next(line for line in result.stdout.splitlines() if "export" in line)
    return dict(setting.split("=", 1) for setting in shlex.split(line)[1:])


def processes(folder: Path) -> list[psutil.Process]:
    """All processes that have to do with the folder, or descend from one that has."""
    found = set()
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and str(folder) in " ".join(process.cmdline()):
                found |= {process, *process.children(recursive=True)}
        except psutil.Error:
            continue
    return [process for process in found if process.is_running()]


class Job:
    """A driver that sends short tasks until it is told that it's enough."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        (folder / "done").touch()
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOB, str(folder)], env=os.environ | env, start_new_session=True
        )

    def done(self) -> list[tuple[float, str]]:
        """When each task ended, as the job saw it, and on which node."""
        lines = [line.split() for line in (self.folder / "done").read_text().split("\n")[:-1]]
        return [(float(when), node) for when, node in lines]

    def recent(self, last: float = 3.0) -> list[str]:
        """On which node each task ran that ended in the last seconds."""
        return [node for when, node in self.done() if when > time.time() - last]

    def rate(self, last: float = 3.0) -> float:
        return len(self.recent(last)) / last

    def finish(self) -> int:
        """How many tasks the job sent; it fails where it did not get each result exactly once."""
        (self.folder / "enough").touch()
        assert self.process.wait(120) == 0
        return int((self.folder / "sent").read_text())


@pytest.fixture
def job(folder, tmp_path) -> Iterator[Callable[[dict[str, str]], Job]]:
    started = []

    def start(env: dict[str, str]) -> Job:
        started.append(Job(tmp_path, env))
        return started[-1]

    yield start
    for job in started:
        end_session(job.process.pid, grace=0)
        job.process.wait()


def test_what_is_refused(folder) -> None:
    """Each with one sentence, before anything starts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = [
            laptop(folder, "up", "--port", port),
            laptop(folder, "up", "--port", str(free_port()), "--dashboard-port", port),
            laptop(folder, "add"),
            laptop(folder, "kill"),
            laptop(folder / ("long" * 10), "up"),
        ]
    for result in refused:
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1, result.stderr
    assert port in refused[0].stderr and "--dashboard-port" in refused[1].stderr
    assert not processes(folder)


def test_add_speeds_a_running_job_up_and_kill_loses_nothing(folder, job) -> None:
    env = up(folder)
    assert env["RAY_AUTH_MODE"] == "token"
    again = laptop(folder, "up")
    assert again.exit_code == 2 and "runs already" in again.stderr

    running = job(env)
    wait_until(lambda: running.rate() > 2, "the job runs on the head")
    wait_until(lambda: len(running.done()) > 30, "its rate can be told")
    before, (head,) = running.rate(), {node for _, node in running.done()}
    assert before < 10, "one CPU ends at most five tasks of 0.2 s in a second"

    assert laptop(folder, "add", "--cpus", "4").exit_code == 0
    wait_until(
        lambda: running.rate() > 2 * before and {*running.recent()} > {head},
        "the job is more than twice as fast, on two nodes",
    )

    assert laptop(folder, "kill", "laptop-1").exit_code == 2
    assert "laptop-2 is gone" in laptop(folder, "kill").stdout
    wait_until(lambda: {*running.recent()} == {head}, "the job goes on where it can")
    assert "laptop-3 has joined" in laptop(folder, "add", "--cpus", "1").stdout
    sent = running.finish()
    assert len((running.folder / "begun").read_text().splitlines()) > sent, "nothing was lost?"

    ours = processes(folder)
    assert {"gcs_server", "raylet"} <= {process.name() for process in ours}
    assert laptop(folder, "down").exit_code == 0
    assert not [p for p in ours if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not folder.exists()


def test_down_after_a_crash(folder) -> None:
    """The head's first process is killed, its raylet and the others stay behind."""
    up(folder)
    ours = processes(folder)
    first = next(process for process in ours if "--head" in process.cmdline())
    first.kill()
    assert laptop(folder, "down").exit_code == 0
    assert not [p for p in ours if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert laptop(folder, "down").stdout.startswith("0 nodes")
