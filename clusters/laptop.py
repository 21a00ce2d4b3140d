"""A Ray cluster of several nodes on this one laptop, to add to and to break while a job runs.

    python clusters/laptop.py up        a head node
    python clusters/laptop.py add       one more node
    python clusters/laptop.py kill      ends the newest node as a power cut would
    python clusters/laptop.py status    which nodes there are
    python clusters/laptop.py down      ends all of them, and nothing else

A node is what it would be on a machine of its own: the processes of one `ray start`. They run in
the background, in a session of their own; a file for each node in FOLDER says which session.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import psutil
import typer

from workshop.processes import members

FOLDER = Path(os.environ.get("LAPTOP_CLUSTER", f"/tmp/ray-laptop-{os.getuid()}"))  # noqa: S108
LONGEST = 30  # characters: Ray puts sockets below the folder, and a socket's path has at most 103
STARTED = "Ray runtime started."
SECONDS = 180
MACOS = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"} if sys.platform == "darwin" else {}
STORE = 200_000_000  # bytes of object store for each node

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__.partition("\n")[0])
Cpus = Annotated[int, typer.Option(min=1, help="CPUs that the node offers; any number will do.")]
Port = Annotated[int, typer.Option(min=1024, max=65535)]


def fail(sentence: str) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(2)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two nodes that start in the same moment would take the same socket."""
    if len(str(FOLDER)) > LONGEST:
        raise fail(f"LAPTOP_CLUSTER must be a path of at most {LONGEST} characters, not {FOLDER}")
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = FOLDER / "laptop.lock"
    if FOLDER.lstat().st_uid != os.getuid() or (any(FOLDER.iterdir()) and not path.exists()):
        raise fail(f"{FOLDER} holds something else: name a new folder in LAPTOP_CLUSTER")
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise fail("another add, kill, up or down is at work: wait until it is done") from None
        yield


def nodes() -> dict[str, dict]:
    """What was written down about each node that still has a process, oldest first."""
    found = (json.loads(path.read_text()) for path in FOLDER.glob("laptop-*.json"))
    return {n["name"]: n for n in sorted(found, key=lambda n: n["number"]) if processes(n)}


def processes(node: dict) -> list[psutil.Process]:
    """The live processes of a node: those of its session, and the jobs that they started."""
    with contextlib.suppress(psutil.Error):
        if abs(psutil.Process(node["pid"]).create_time() - node["since"]) > 60:
            return []  # the node is long gone, and its number another program's
    found = set(members(node["pid"]))
    for process in list(found):
        with contextlib.suppress(psutil.Error):
            found.update(process.children(recursive=True))
    return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def end(ended: list[dict]) -> int:
    """Kills all processes of the nodes, at once and without notice, and says how many."""
    killed = set()
    while left := [process for node in ended for process in processes(node)]:
        for signal in ("suspend", "kill"):  # so that none sees another die
            for process in left:
                with contextlib.suppress(psutil.Error):
                    getattr(process, signal)()
        killed.update(left)
        psutil.wait_procs(left, timeout=1)
    for node in ended:
        (FOLDER / f"{node['name']}.json").unlink(missing_ok=True)
    return len(killed)


def is_free(port: int) -> bool:
    for host in ("", "127.0.0.1"):  # macOS allows the one where the other is taken
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def ensure_token() -> None:
    """Ray's token, without which nobody may use the cluster; made where there is none."""
    path = Path.home() / ".ray" / "auth_token"
    if os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} or path.exists():
        return
    path.parent.mkdir(exist_ok=True)
    with path.open("x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(secrets.token_hex(32))


def start(number: int, cpus: int, *flags: str, **facts: str) -> None:
    """Starts a node with `ray start` and waits until it belongs to the cluster."""
    name = f"laptop-{number}"
    command = ["ray", "start", *flags, f"--node-name={name}", f"--num-cpus={cpus}"]
    typer.echo("$ " + " ".join(command))
    command[0] = str(Path(sys.executable).with_name("ray"))
    command += ["--block", "--disable-usage-stats", f"--object-store-memory={STORE}"]
    command += [f"--dashboard-agent-listen-port={free_port()}"]
    command += ["--min-worker-port=0", "--max-worker-port=0"]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | {
        "RAY_AUTH_MODE": "token",
        "RAY_raylet_start_wait_time_s": str(SECONDS),
        "RAY_health_check_period_ms": "1000",  # a dead node is missed after 5 s, not after 15
        **MACOS,
    }
    log = FOLDER / f"{name}.log"
    with log.open("w") as output:
        process = psutil.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    node = dict(name=name, number=number, pid=process.pid, since=process.create_time(), cpus=cpus)
    (FOLDER / f"{name}.json").write_text(json.dumps(node | facts))
    deadline = time.monotonic() + SECONDS
    try:
        while STARTED not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise fail(f"{name} did not start; {log} says why")
            time.sleep(0.1)
    except BaseException:
        end([node])
        raise


def export() -> str:
    """What a terminal has to know, so that scripts started in it join the cluster."""
    address = (FOLDER / "ray_current_cluster").read_text()
    settings = {"RAY_ADDRESS": address, "RAY_AUTH_MODE": "token"} | MACOS
    return "export " + " ".join(f"{name}={value}" for name, value in settings.items())


def running() -> dict[str, dict]:
    """The nodes of the cluster, its head among them."""
    found = nodes()
    if "laptop-1" not in found:
        raise fail("no cluster is running: start one with `python clusters/laptop.py up`")
    return found


@app.command()
def up(cpus: Cpus = 1, port: Port = 6380, dashboard_port: Port = 8265) -> None:
    """Starts the head node."""
    with one_at_a_time():
        if found := nodes():
            raise fail(
                f"a cluster runs already ({', '.join(found)}):"
                " end it with `python clusters/laptop.py down`"
            )
        for flag, number in (("--port", port), ("--dashboard-port", dashboard_port)):
            if not is_free(number):
                raise fail(f"port {number} is taken by another program: name another with {flag}")
        for path in FOLDER.glob("*[!k]"):  # what an earlier one left, laptop.lock apart
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        ensure_token()
        dashboard = f"http://127.0.0.1:{dashboard_port}"
        ports = (f"--port={port}", f"--dashboard-port={dashboard_port}")
        more = (f"--temp-dir={FOLDER}", f"--ray-client-server-port={free_port()}")
        start(1, cpus, "--head", *ports, *more, dashboard=dashboard)
    typer.echo(f"The head node is up. Dashboard: {dashboard} (its token: `ray get-auth-token`)")
    typer.echo("Next, in another terminal, where scripts shall join it:\n  . .venv/bin/activate")
    typer.echo(f"  {export()}\n  python ray_core/10_cluster_ray.py --images 200")
    typer.echo("and while that runs, in this one:\n  python clusters/laptop.py add")


@app.command()
def add(cpus: Cpus = 2) -> None:
    """Adds a node."""
    with one_at_a_time():
        found = running()
        number = len(list(FOLDER.glob("laptop-*.log"))) + 1  # never that of one that was killed
        start(number, cpus, f"--address={(FOLDER / 'ray_current_cluster').read_text()}")
    typer.echo(f"laptop-{number} has joined: {len(found) + 1} nodes.")


@app.command()
def kill(name: Annotated[str, typer.Argument(help="Such as laptop-2.")] = "") -> None:
    """Ends a node, by default the newest, without notice: as a power cut would."""
    with one_at_a_time():
        found = running()
        name = name or list(found)[-1]
        if name == "laptop-1":
            raise fail("laptop-1 is the head, which holds the cluster together: `down` ends that")
        if name not in found:
            raise fail(f"there is no node {name}: there are {', '.join(found)}")
        killed = end([found[name]])
    typer.echo(f"{name} is gone: {killed} processes killed, {len(found) - 1} nodes left.")


@app.command()
def status() -> None:
    """Lists the nodes."""
    found = running()
    for name, node in found.items():
        typer.echo(f"{name}: CPUs {node['cpus']}, processes {len(processes(node))}")
    typer.echo(f"dashboard: {found['laptop-1']['dashboard']}")
    typer.echo(export())


@app.command()
def down() -> None:
    """Ends the cluster: every process of it, and no other."""
    with one_at_a_time():
        found = nodes()
        killed = end(list(found.values()))
        shutil.rmtree(FOLDER, ignore_errors=True)
    typer.echo(f"{len(found)} nodes ended, {killed} processes killed.")
    typer.echo("Where you exported it, type: unset RAY_ADDRESS RAY_AUTH_MODE")


if __name__ == "__main__":
    app()
