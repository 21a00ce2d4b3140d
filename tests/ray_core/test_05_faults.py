"""Processes were really killed in the middle of their work, and yet every total is exact."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from support import SHARED, Call, as_attendee, call_main
from workshop.lessons import ROOT

BASELINE, RAY = "ray_core/05_faults_baseline.py", "ray_core/05_faults_ray.py"
IMAGES, SEED, FLAKY = 18, 42, {0, 5, 10, 15}  # images and seed are the defaults
SAME = {"images": IMAGES, "seed": SEED}

DIES_BEFORE_THE_REPLACE = """
import os, runpy, signal, sys
from pathlib import Path
adder = runpy.run_path(sys.argv[1])["Adder"].__ray_metadata__.modified_class(Path(sys.argv[2]))
adder.add(1, 10)
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
adder.add(2, 5)
"""


@pytest.fixture(scope="module")
def right_answer() -> int:
    """The total when nobody is killed, by the baseline."""
    figures = call_main(BASELINE, SAME | {"kills": 0}, SHARED.env()).figures
    assert figures["lost"] == []
    return figures["answer"]


AGAIN = [pytest.param(number, marks=pytest.mark.thorough) for number in (2, 3)]


@pytest.fixture(scope="module", params=[1, *AGAIN])
def killed_run(request) -> Call:
    """A run in which a worker and the adder are killed: three times."""
    return as_attendee(RAY) if request.param == 1 else call_main(RAY, SAME, SHARED.env())


def load_adder(file: Path):
    """The actor's class without the actor."""
    return runpy.run_path(str(ROOT / RAY))["Adder"].__ray_metadata__.modified_class(file)


def test_the_total_is_exact_after_both_kills(killed_run, right_answer) -> None:
    assert [what for what, _, _ in killed_run.figures["killed"]] == ["worker", "adder"]
    assert killed_run.figures["answer"] == right_answer
    assert len(killed_run.figures["pauses"]) == 2 and min(killed_run.figures["pauses"]) > 0


def test_the_worker_died_at_work_and_another_did_it_again(killed_run) -> None:
    attempts = [tuple(map(int, line.split())) for line in killed_run.figures["attempts"]]
    dead = killed_run.figures["killed"][0][1]
    last = max(i for i, (_, pid) in enumerate(attempts) if pid == dead)
    again = [pid for number, pid in attempts[last + 1 :] if number == attempts[last][0]]
    assert again and dead not in again


def test_the_adder_died_and_another_process_went_on(killed_run) -> None:
    assert killed_run.figures["adder"] != killed_run.figures["killed"][1][1]


def test_what_ray_reports_stays_out_of_stdout(killed_run) -> None:
    assert "raylet" not in killed_run.run.stdout
    assert "worker" in killed_run.run.stdout and "adder" in killed_run.run.stdout


def test_flaky_images_are_tried_again_and_nothing_is_left_behind(run, tmp_path) -> None:
    flags = ("--images", str(IMAGES), "--kills", "0")
    result = run(RAY, *flags, env={"TMPDIR": str(tmp_path)})
    assert f"{IMAGES + len(FLAKY)} attempts at {IMAGES} images" in result.stdout
    assert not [path for path in tmp_path.rglob("*") if path.name in ("log", "added.json")]


@pytest.mark.parametrize("kills", [1, 2])
def test_the_baseline_loses_what_was_finished(kills, call, right_answer) -> None:
    run = as_attendee(BASELINE) if kills == 2 else call(BASELINE, **SAME, kills=kills)
    figures = run.figures
    assert figures["answer"] == right_answer
    assert len(figures["killed"]) == len(figures["lost"]) == kills
    assert all(n >= IMAGES // (kills + 1) for n in figures["lost"])
    assert len(figures["attempts"]) >= IMAGES + len(FLAKY) + sum(figures["lost"])


def test_adding_an_image_again_changes_nothing(tmp_path) -> None:
    adder = load_adder(tmp_path / "added.json")
    for number, brightness in [(1, 10), (2, 5), (1, 10), (2, 5)]:
        adder.add(number, brightness)
    assert adder.report()[0] == 15
    again = load_adder(tmp_path / "added.json")
    again.add(2, 5)
    assert again.report()[0] == 15


def test_killed_before_the_replace_the_old_checkpoint_is_whole(tmp_path) -> None:
    file = tmp_path / "added.json"
    command = [sys.executable, "-c", DIES_BEFORE_THE_REPLACE, str(ROOT / RAY), str(file)]
    assert subprocess.run(command, timeout=60).returncode == -9
    assert json.loads(file.read_text()) == [[1, 10]]
    adder = load_adder(file)
    assert adder.report()[0] == 10
    adder.add(2, 5)
    assert adder.report()[0] == 15
