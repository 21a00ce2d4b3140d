"""`ray up`, `ray submit`, `ray job submit`, a power cut and `ray down` on three hosts of a LAN.

The tests of this module are one story, told in order on one cluster (the fixture `lab`).
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from workshop.lessons import ROOT
from workshop.runner import run_script

LAB = ROOT / "clusters" / "lab" / "lab.sh"
LESSON, BASELINE = "ray_core/10_cluster_ray.py", "ray_core/10_cluster_baseline.py"
IPS = {"172.31.77.11", "172.31.77.12", "172.31.77.13"}
TOOLS = ("ip", "unshare", "rsync", "ssh-keygen", "/usr/sbin/sshd")
ANSWER = re.search(r", answer (\S+)", (ROOT / LESSON).read_text())[1]
API = "http://127.0.0.1:8265"
DIRECT = "curl -s -o /dev/null -w '%{http_code}' " + API + "/api/jobs/"


def why_not() -> str | None:
    """Why the lab cannot run on this machine, or None."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "the lab needs root on Linux"
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return f"the lab needs {', '.join(missing)}: see .ci/run"
    probe = subprocess.run(["unshare", "--net", "--pid", "--mount", "--fork", "true"])
    return None if probe.returncode == 0 else "this machine allows no namespaces"


pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(420),
]


class Lab:
    """The shell of the lab's laptop, fed one command at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        self.shell = subprocess.Popen(
            [LAB, "bash", "--norc"],
            stdin=subprocess.PIPE,
            env=environment | {"LAB_VENV": str(Path(sys.executable).parent.parent)},
            cwd=ROOT,
        )

    def start(self, command: str) -> int:
        """Runs a command in the background; its number is for output() and wait()."""
        self.number += 1
        out = self.folder / f"{self.number}.txt"
        keep_code = f"echo $? >{out}.part; mv {out}.part {out}.rc"
        line = f"{{ ( {command} ) >{out} 2>&1 </dev/null; {keep_code}; }} &\n"
        self.shell.stdin.write(line.encode())
        self.shell.stdin.flush()
        return self.number

    def output(self, number: int) -> str:
        out = self.folder / f"{number}.txt"
        text = out.read_text(errors="replace") if out.exists() else ""
        return re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r", "")

    def wait(self, number: int, seconds: float = 120) -> tuple[int, str]:
        """Exit code and output of a command; fails the test after the given seconds."""
        deadline = time.monotonic() + seconds
        result = self.folder / f"{number}.txt.rc"
        while not result.exists():
            assert self.shell.poll() is None, "the lab has ended"
            assert time.monotonic() < deadline, f"not done in time:\n{self.output(number)[-3000:]}"
            time.sleep(0.1)
        return int(result.read_text()), self.output(number)

    def run(self, command: str, seconds: float = 120) -> str:
        """Output of a command that must succeed."""
        code, output = self.wait(self.start(command), seconds)
        assert code == 0, f"{command}: exit code {code}\n{output[-3000:]}"
        return output

    def until(self, command: str, wanted: str, seconds: float) -> str:
        """Repeats a command until its output matches the wanted pattern."""
        deadline = time.monotonic() + seconds
        while True:
            output = self.wait(self.start(command))[1]
            if re.search(wanted, output):
                return output
            assert time.monotonic() < deadline, f"no {wanted!r} in:\n{output[-3000:]}"

    def processes(self) -> list[psutil.Process]:
        return [self.shell, *psutil.Process(self.shell.pid).children(recursive=True)]

    def close(self) -> None:
        self.shell.stdin.close()
        self.shell.wait(30)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Three hosts and the folder through which the tests see the laptop's output."""
    folder = Path(ROOT / "out" / f"lab{os.getpid()}")
    folder.mkdir(parents=True)
    lab = Lab(folder)
    try:
        yield lab
    finally:
        lab.close()
        shutil.rmtree(folder)


def summary_of(output: str) -> str:
    return re.findall(r"images in [\d.]+ s \([\d.]+ images/s\), answer (\S+)", output)[-1]


def placed(output: str) -> dict[str, int]:
    """Images by the IP address of the node."""
    return {ip: int(n) for n, ip in re.findall(r"(\d+) images on \S+ ([\d.]+), node", output)}


def test_ray_up_brings_all_three_hosts_up(lab) -> None:
    assert "Useful commands" in lab.run("ray up -y $LAB_YAML", 180)
    lab.until("ray exec $LAB_YAML 'ray status'", r"Active:\n 3 local.cluster.node", 120)


def test_ray_submit_uses_all_three_and_answers_as_on_the_laptop(lab) -> None:
    output = lab.run(f"ray submit $LAB_YAML {LESSON}", 120)
    assert set(placed(output)) == IPS
    assert summary_of(output) == ANSWER


def test_the_dashboard_refuses_without_the_token_and_accepts_with_it(lab) -> None:
    lab.start("ray dashboard $LAB_YAML --port 8265")
    lab.until(DIRECT, "401", 60)
    assert lab.run(DIRECT + ' -H "Authorization: Bearer $(cat ~/.ray/auth_token)"') == "200"


def test_ray_job_submit_gives_the_same_answer(lab) -> None:
    job = f"ray job submit --address {API} --working-dir ray_core -- python {Path(LESSON).name}"
    output = lab.run(job, 150)
    assert "succeeded" in output
    assert set(placed(output)) == IPS
    assert summary_of(output) == ANSWER


def test_a_node_without_the_token_may_not_join(lab) -> None:
    hidden = "~/.ray/hidden"
    lab.run(f"lab ssh 3 'mv ~/.ray/auth_token {hidden}; openssl rand -hex 32 >~/.ray/auth_token'")
    join = "timeout 60 ray start --address=172.31.77.11:6379"
    tries = [
        lab.start(f"lab ssh 3 \"bash -ic 'RAY_AUTH_MODE={mode} {join}'\"")
        for mode in ("token", "disabled")
    ]
    for attempt in tries:
        code, output = lab.wait(attempt, 90)
        assert code != 0 and "InvalidAuthToken" in output, output[-3000:]
    lab.run(f"lab ssh 3 'mv {hidden} ~/.ray/auth_token'")
    lab.until("ray exec $LAB_YAML 'ray status'", r"Active:\n 3 local.cluster.node", 30)


def test_a_host_loses_power_and_the_job_still_ends_with_the_right_answer(lab) -> None:
    long = f"ray submit $LAB_YAML {LESSON} --images 60 --seconds 1"
    expected = run_script(BASELINE, "--images", "60", "--seconds", "0").answer
    job, deadline = lab.start(long), time.monotonic() + 90
    while "10/60 images" not in lab.output(job):
        assert time.monotonic() < deadline, lab.output(job)[-2000:]
        time.sleep(0.05)
    lab.run("lab poweroff 3")
    code, output = lab.wait(job, 180)
    assert code == 0, output[-3000:]
    assert summary_of(output) == expected
    assert "172.31.77.11" in placed(output) and sum(placed(output).values()) == 60


def test_ray_down_and_exit_leave_nothing(lab) -> None:
    lab.run("ray down -y $LAB_YAML", 90)
    assert lab.wait(lab.start("lab ssh 1 'pgrep -x raylet || pgrep -x gcs_server'"))[0] == 1
    everything = lab.processes()[1:]
    assert len(everything) > 5
    lab.close()
    _, alive = psutil.wait_procs(everything, timeout=10)
    assert not alive
    interfaces = {name for name in psutil.net_if_addrs() if name.startswith(("lab", "to"))}
    assert not interfaces
