"""`make doctor`: looks at this machine before the workshop and says what to mend."""

import os
import platform
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import psutil
from rich.console import Console

from workshop.lessons import ROOT, all_pairs

GIB = 2**30
ENVIRONMENTS = {".venv": 8, ".venv-vllm": 5}  # GiB while it is being installed
PORTS = {
    6379: "ray start --head",
    8000: "Ray Serve",
    8265: "the dashboard",
    10001: "Ray Client",
}
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


@dataclass(frozen=True)
class Finding:
    level: str
    what: str
    todo: str = ""

    def __str__(self) -> str:
        return f"[{self.level}] {self.what}" + (f": {self.todo}" if self.todo else "")


def python() -> Iterator[Finding]:
    here = platform.python_version()
    if tuple(map(int, here.split(".")[:2])) >= (3, 11):
        yield Finding("ok", f"Python {here}")
    else:
        yield Finding("fail", f"Python {here}", "make clean, then make setup PYTHON=python3.11")


def cores(count: int | None = None) -> Iterator[Finding]:
    count = count or os.cpu_count() or 1
    if count >= 2:
        yield Finding("ok", f"{count} cores")
    else:
        yield Finding("warn", "1 core", "lessons work, but Ray shows little speed-up")


def memory(free: int | None = None) -> Iterator[Finding]:
    gib = (free or psutil.virtual_memory().available) / GIB
    if gib >= 4:
        yield Finding("ok", f"{gib:.1f} GiB of memory free")
    elif gib >= 2:
        yield Finding("warn", f"{gib:.1f} GiB of memory free", "close a browser; 4 GiB is enough")
    else:
        yield Finding("fail", f"{gib:.1f} GiB of memory free", "close programs: 2 GiB are needed")


def disk(free: int | None = None) -> Iterator[Finding]:
    """Ray spills objects into the temp folder and warns from 95% full on."""
    missing = [name for name in ENVIRONMENTS if not (ROOT / name / "ready").exists()]
    needed = 2 + sum(ENVIRONMENTS[name] for name in missing)
    for folder in dict.fromkeys((ROOT, Path(tempfile.gettempdir()))):
        usage = shutil.disk_usage(folder)
        gib = (usage.free if free is None else free) / GIB
        if gib < (needed if folder == ROOT else 2):
            room = f"make room: {needed} GiB"
            yield Finding("fail", f"{gib:.1f} GiB of disk free at {folder}", room)
        elif usage.used / usage.total > 0.95 and free is None:
            yield Finding("warn", f"disk of {folder} is 95% full", "Ray will not spill objects")
        else:
            yield Finding("ok", f"{gib:.0f} GiB of disk free at {folder}")


def shared_memory(path: Path = SHARED_MEMORY) -> Iterator[Finding]:
    if not path.exists():
        yield Finding("ok", f"no {path} here: Ray keeps objects in the temp folder")
        return
    gib = shutil.disk_usage(path).free / GIB
    if gib >= 1:
        yield Finding("ok", f"{gib:.1f} GiB free in {path}")
    else:
        yield Finding(
            "warn", f"{gib:.2f} GiB free in {path}", "in a container: docker run --shm-size=2g"
        )


def ports(wanted: dict[int, str] = PORTS) -> Iterator[Finding]:
    taken = []
    for port, user in wanted.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken.append(port)
                yield Finding("warn", f"port {port} is taken", f"{user} wants it")
    if not taken:
        yield Finding("ok", f"ports {', '.join(map(str, wanted))} are free")


def stray_ray() -> Iterator[Finding]:
    """Whatever would capture ray.init()."""
    if address := os.environ.get("RAY_ADDRESS"):
        yield Finding("warn", f"RAY_ADDRESS={address}", "scripts run there; unset RAY_ADDRESS")
    names = [process.info["name"] for process in psutil.process_iter(["name"])]
    running = names.count("raylet")
    if running:
        yield Finding("warn", "a Ray runs here", "ray.init() will join it; end it: ray stop")
    folder = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir())) / "ray"
    left = folder / "ray_current_cluster"
    if left.exists() and not running:
        yield Finding(
            "fail", "a Ray that crashed left its address", f"ray.init() would hang: rm {left}"
        )
    if not (address or running or left.exists()):
        yield Finding("ok", "no other Ray, no RAY_ADDRESS: ray.init() starts its own")


def packages(constraints: Path = ROOT / "constraints.txt") -> Iterator[Finding]:
    """Installed versions against the pins; only what we ask for directly must be there at all,
    since some of the rest comes on one system only.
    """
    wrong = []
    required = {re.match(r"[\w.-]+", line)[0] for line in requires("ray-workshop") or ()}
    pins = re.findall(r"^([\w.-]+)==(\S+)$", constraints.read_text(), re.MULTILINE)
    for name, wanted in pins:
        try:
            if (have := version(name)) != wanted:
                wrong.append(f"{name} {have} instead of {wanted}")
        except PackageNotFoundError:
            if name in required:
                wrong.append(f"{name} is missing")
    if wrong:
        yield Finding("fail", "; ".join(wrong[:3]), f"make setup ({len(wrong)} to mend)")
    else:
        yield Finding("ok", f"{len(pins)} packages as in constraints.txt, ray {version('ray')}")


def gpu() -> Iterator[Finding]:
    if shutil.which("nvidia-smi"):
        yield Finding("ok", "an NVIDIA driver is here")
    else:
        yield Finding("ok", "no GPU, and none is needed; neither are Java and Docker")


def report(console: Console | None = None) -> int:
    """Prints one line a finding and a verdict; 1 if something must be mended, else 0."""
    console = console or Console(soft_wrap=True)
    looks = (python, cores, memory, disk, shared_memory, ports, stray_ray, packages, gpu)
    findings = [finding for look in looks for finding in look()]
    for finding in findings:
        style = STYLES[finding.level]
        console.print(str(finding), style=style, markup=False, highlight=False)
    failed = sum(finding.level == "fail" for finding in findings)
    stages = ", ".join(dict.fromkeys(pair.stage for pair in all_pairs()))
    if failed:
        console.print(
            f"\nNot ready: mend the {failed} [fail] above, then: make doctor", markup=False
        )
    else:
        console.print(f"\nReady. This machine can run: {stages}. Start with: make run")
    return int(failed > 0)
