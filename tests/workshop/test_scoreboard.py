"""The scoreboard's verdicts, its JSON, and that Ctrl-C leaves no Ray behind."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from rich.console import Console

from workshop import scoreboard as module
from workshop.lessons import ROOT, Pair
from workshop.runner import Run

PAIR = Pair(ROOT / "ray_core/01_tasks_baseline.py", ROOT / "ray_core/01_tasks_ray.py")


def fake(answer="7", exit_code=0, seconds=2.0, ready=0.0, stderr="") -> Run:
    return Run(exit_code, "", stderr, seconds, 8, "images", seconds, ready, answer)


@pytest.fixture
def play(monkeypatch, capsys):
    """Runs the scoreboard over PAIR with made-up runs; returns (verdict, what it printed)."""

    def run(baseline: Run, ray: Run, json_file=None) -> tuple[bool, str]:
        runs = iter([baseline, ray])
        monkeypatch.setattr(module, "run_script", lambda script: next(runs))
        well = module.scoreboard([PAIR], Console(), json_file)
        return well, capsys.readouterr().out

    return run


def test_equal_answers_pass(play) -> None:
    well, printed = play(fake(seconds=8.0), fake(seconds=2.0, ready=6.0))
    assert well
    row = next(line for line in printed.splitlines() if line.startswith("ray_core/01_tasks"))
    assert row.split()[1:] == ["8.00", "s", "2.00", "s", "4.0x", "1.0x", "6.0", "s", "14", "yes"]


def test_different_answers_fail(play) -> None:
    well, printed = play(fake("7"), fake("8"))
    assert not well
    assert "the baseline says 7, Ray says 8" in printed


def test_a_failing_script_shows_its_own_error(play) -> None:
    well, printed = play(fake(), fake(exit_code=1, stderr="ValueError: no photographs"))
    assert not well
    assert "01_tasks_ray.py failed (exit code 1)" in printed
    assert "ValueError: no photographs" in printed


def test_an_environment_that_cannot_be_made_is_a_row_that_failed(monkeypatch, capsys) -> None:
    failed = subprocess.CompletedProcess([], 2, "", "no torch==2.13.0+cpu")
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: failed)
    twins = (ROOT / f"vllm_examples/01_generate_{kind}.py" for kind in ("baseline", "vllm"))
    assert not module.scoreboard([Pair(*twins)], Console())
    printed = capsys.readouterr().out
    assert "no torch==2.13.0+cpu" in printed and "make setup-vllm failed" in printed


def test_json(play, tmp_path) -> None:
    play(fake(seconds=8.0), fake(seconds=2.0, ready=6.0), tmp_path / "results.json")
    (row,) = json.loads((tmp_path / "results.json").read_text())
    assert row["lesson"] == "ray_core/01_tasks"
    assert row["same_answer"] and row["speedup"] == 4.0 and row["changed_lines"] <= 15
    for twin in ("baseline", "ray"):
        keys = {"exit_code", "seconds", "ready_seconds", "items", "unit", "answer"}
        assert set(row[twin]) == keys


def test_lines_fit_100_columns(play) -> None:
    _, printed = play(fake(), fake())
    assert max(map(len, printed.splitlines())) <= 100


def test_an_unknown_lesson_is_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workshop", "scoreboard", "ray_cor"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("workshop: no lesson is called 'ray_cor'")


def daemons_of(folder: str) -> list[str]:
    """raylet and gcs_server processes whose command line names the folder of their Ray."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        names = process.info["name"] in ("raylet", "gcs_server")
        if names and folder in " ".join(process.info["cmdline"] or ()):
            found.append(process.info["name"])
    return found


@pytest.mark.parametrize(
    ("command", "stop"),
    [
        (["make", "run"], signal.SIGINT),
        ([sys.executable, "-m", "workshop", "scoreboard", "ray_core/02"], signal.SIGTERM),
    ],
    ids=["Ctrl-C of make run", "SIGTERM"],
)
def test_stopping_leaves_no_ray_behind(command, stop, ray_alone) -> None:
    folder = ray_alone["RAY_TMPDIR"]
    run = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | ray_alone,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 90
    while "raylet" not in daemons_of(folder):
        assert run.poll() is None, "it ended before Ray had started"
        assert time.monotonic() < deadline, "Ray did not start"
        time.sleep(0.1)
    os.killpg(run.pid, stop)
    assert run.wait(timeout=60) != 0
    assert daemons_of(folder) == []
