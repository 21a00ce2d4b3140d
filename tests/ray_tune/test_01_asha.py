"""ASHA stops trials early, only worse ones, and changes nothing in what each of them learns."""

import json
import os
import shutil
import signal
import struct
import time
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from support import SHARED, Call, call_main
from workshop.lessons import ROOT
from workshop.runner import run_script

BASELINE, RAY = (f"ray_tune/01_asha_{twin}.py" for twin in ("baseline", "ray"))
TRIALS, EPOCHS, RUNGS = 8, 9, (2, 6)
# the best of these seeded trials is ahead after 2, 6 and 9 epochs: no order of trials can stop it
ARGUMENTS = dict(trials=TRIALS, epochs=EPOCHS, seed=3)
RESULTS = ROOT / "out" / "ray_tune" / "01_asha"


@pytest.fixture(scope="module")
def whole() -> Call:
    return call_main(BASELINE, ARGUMENTS, SHARED.env())


@pytest.fixture(scope="module")
def asha() -> Call:
    (RESULTS / "ray.png").unlink(missing_ok=True)
    return call_main(RAY, ARGUMENTS, SHARED.env())


@pytest.fixture(scope="module")
def reports(asha) -> list[list[dict]]:
    """What each trial reported, as Tune wrote it down, in the order of the trials."""
    files = sorted(RESULTS.glob("sweep/*/result.json"), key=lambda file: file.parent.name)
    return [[json.loads(line) for line in file.read_text().splitlines()] for file in files]


def scalars(file: Path, tag: str) -> list[float]:
    """The values of a tag in a TensorBoard file: length, checksum, Event, checksum; and again."""
    found, data = [], file.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        found += [value.simple_value for value in event.summary.value if value.tag == tag]
        data = data[12 + length + 4 :]
    return found


def test_a_trial_learns_what_it_learns_without_tune(whole, asha) -> None:
    for full, begun in zip(whole.figures["curves"], asha.figures["curves"], strict=True):
        assert begun == full[: len(begun)], "not the same to the last bit"


def test_fewer_epochs_and_the_same_best(whole, asha) -> None:
    curves = [len(curve) for curve in asha.figures["curves"]]
    assert whole.figures["epochs"] == TRIALS * EPOCHS
    assert asha.figures["epochs"] == sum(curves) < 0.7 * TRIALS * EPOCHS
    assert set(curves) <= {*RUNGS, EPOCHS}
    assert asha.figures["best"] == whole.figures["best"]
    assert asha.figures["score"] == whole.figures["score"]
    assert f"{sum(curves)} of {TRIALS * EPOCHS} epochs" in asha.run.stdout


def test_whoever_was_stopped_was_behind_somebody(asha) -> None:
    curves = asha.figures["curves"]
    for stopped in (curve for curve in curves if len(curve) < EPOCHS):
        rung = len(stopped)
        others = [curve[rung - 1] for curve in curves if len(curve) >= rung]
        assert stopped[-1] > min(others)


def test_two_processes_ran_all_trials(reports) -> None:
    assert len(reports) == TRIALS
    assert len({line["pid"] for trial in reports for line in trial}) <= 2


def test_tensorboard_files_without_a_flag(asha, reports) -> None:
    files = sorted(RESULTS.glob("sweep/*/events.out.tfevents.*"), key=lambda f: f.parent.name)
    assert len(files) == TRIALS
    for file, trial in zip(files, reports, strict=True):
        written = scalars(file, "ray/tune/loss")
        assert written == pytest.approx([line["loss"] for line in trial])


def test_a_line_for_each_trial_and_the_picture(whole, asha) -> None:
    for call, twin in ((whole, "baseline"), (asha, "ray")):
        lines = [line for line in call.run.stdout.splitlines() if line.startswith("trial ")]
        assert len(lines) == TRIALS
        assert (RESULTS / f"{twin}.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_ends_it_without_a_result(shared_ray) -> None:
    """By itself Tune would take Ctrl-C for the end of the search, and hand over half of it."""

    def interrupt(process) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if list(RESULTS.glob("sweep/*/result.json")):
                os.kill(process.pid, signal.SIGINT)
                break
            time.sleep(0.05)

    shutil.rmtree(RESULTS / "sweep", ignore_errors=True)
    run = run_script(RAY, "--epochs", "200", env=shared_ray, timeout=90, started=interrupt)
    assert run.exit_code not in (0, 124), run.error
    assert run.answer is None and "Traceback" not in run.stderr
