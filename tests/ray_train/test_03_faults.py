"""Workers and the driver were really killed, and every loss is that of a run left in peace."""

import json
import runpy
from pathlib import Path

import pytest

import ray

from support import KILL_9, SHARED, as_attendee, call_main, refusal, run_until
from workshop.lessons import ROOT

BASELINE, RAY = (ROOT / f"ray_train/03_faults_{kind}.py" for kind in ("baseline", "ray"))
EPOCHS, SEED, DIGITS, BATCHES = 8, 42, 1797, 29  # epochs and seed are the defaults
KILL_SEED, STRUCK = 5, 5  # the default, and the epoch in which it kills
CALM = dict(epochs=EPOCHS, kills=0, seed=SEED)
KILLED = CALM | dict(kills=1, kill_seed=KILL_SEED)


def called(script: Path, folder: Path, arguments: dict) -> dict:
    """What main() returned; the script runs in FOLDER: there are its logs and checkpoints."""
    return call_main(script, arguments, SHARED.env(), cwd=folder).figures


def logs(folder: Path, name: str = "*") -> list[list[list]]:
    """The steps [time, process id, rank, epoch, batch] of each run, in their order."""
    paths = folder.glob(f"out/ray_train/{name}/steps-*.log")
    found = [path.read_text().splitlines() for path in paths]
    return sorted(sorted(map(json.loads, lines)) for lines in found)


@pytest.fixture(scope="module")
def left_in_peace(tmp_path_factory) -> list[float]:
    figures = called(BASELINE, tmp_path_factory.mktemp("peace"), CALM)
    assert figures["killed"] == figures["recoveries"] == []
    return figures["losses"]


@pytest.fixture(scope="module")
def driver_killed(tmp_path_factory) -> tuple[Path, list]:
    """A Ray run whose driver was killed in epoch 1: its folder, and its steps."""
    folder = tmp_path_factory.mktemp("ray")
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in KILLED.items()]

    def twenty_batches_of_epoch_1(driver: int) -> bool:
        logs = folder.glob(f"out/ray_train/*/steps-{driver}.log")
        return any(", 1, 20]\n" in log.read_text() for log in logs)

    dead = run_until(twenty_batches_of_epoch_1, RAY, *flags, cwd=folder)
    assert dead.exit_code == KILL_9, dead.error
    (steps,) = logs(folder)
    return folder, steps


@pytest.fixture(scope="module")
def both_killed(driver_killed) -> tuple[dict, list, list]:
    """The same command again, which then loses a worker: figures, steps before and after."""
    folder, before = driver_killed
    figures = called(RAY, folder, KILLED)
    return figures, before, logs(folder)[1]


@pytest.mark.thorough
def test_torchrun_starts_over_and_repeats_every_epoch(left_in_peace) -> None:
    figures = as_attendee(BASELINE).figures
    (steps,) = logs(ROOT, "03_faults_baseline")
    assert figures["losses"] == left_in_peace
    ((moment, pid, _, epoch, _),), ((wait, lost),) = figures["killed"], figures["recoveries"]
    assert epoch == STRUCK == lost and wait > 0
    again = [step for step in steps if step[0] > moment and step[1] != pid]
    assert {step[3] for step in again} == set(range(EPOCHS))


@pytest.mark.thorough
def test_a_worker_was_killed_in_mid_epoch_and_nothing_finished_was_lost(both_killed) -> None:
    figures, _, steps = both_killed
    ((moment, pid, rank, epoch, batch),), ((wait, lost),) = figures["killed"], figures["recoveries"]
    last = [step for step in steps if step[1] == pid][-1]
    assert last[2] == rank and last[3] == epoch and batch <= last[4] < BATCHES - 1
    assert lost == 0 and wait > 0
    again = next(step for step in steps if step[0] > moment and step[1] != pid and step[4] == 0)
    assert again[3] == epoch


@pytest.mark.thorough
def test_the_driver_was_killed_and_its_next_start_goes_on(both_killed) -> None:
    """In epoch 1, where it was killed; or later, if its workers reported before Ray ended them."""
    figures, before, after = both_killed
    first = after[0][3]
    assert 1 <= first <= max(step[3] for step in before)
    assert after[0][4] == 0 and figures["first_epoch"] == first
    assert figures["items"] == DIGITS * (EPOCHS - first)


@pytest.mark.thorough
def test_after_both_the_losses_are_those_of_a_run_left_in_peace(both_killed, left_in_peace) -> None:
    assert both_killed[0]["losses"] == left_in_peace


@pytest.mark.thorough
def test_a_finished_run_is_not_resumed(both_killed, driver_killed, monkeypatch) -> None:
    """Its checkpoints are gone before Ray starts."""
    snapshot = driver_killed[0] / f"out/ray_train/03_faults_ray-{EPOCHS}-2-{SEED}"
    snapshot /= "checkpoint_manager_snapshot.json"
    state = json.loads(snapshot.read_text())
    assert state["latest_checkpoint_result"]["metrics"] == {"epochs": EPOCHS}

    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ray, "init", stop)
    monkeypatch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")  # main() sets it: taken back
    monkeypatch.chdir(driver_killed[0])
    start = runpy.run_path(str(RAY))["main"]
    state["latest_checkpoint_result"]["metrics"] = {"epochs": EPOCHS - 1}
    state["checkpoint_results"][-1]["metrics"] = {"epochs": EPOCHS - 1}
    for text, remains in ((json.dumps(state), True), (snapshot.read_text(), False)):
        snapshot.write_text(text)
        with pytest.raises(KeyboardInterrupt):
            start(**CALM)
        assert snapshot.exists() == remains


def test_kills_need_epochs() -> None:
    assert "--kills" in refusal(RAY, "--epochs=2", "--kills=2")
