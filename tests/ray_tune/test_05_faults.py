"""What crashed, what was killed and the killed sweep itself: all else is as if nothing happened."""

import json
import os
import runpy
from pathlib import Path

import pytest

import ray

from support import KILL_9, SHARED, call_main, run_until
from workshop.lessons import ROOT

BASELINE, RAY = (ROOT / f"ray_tune/05_faults_{kind}.py" for kind in ("baseline", "ray"))
TRIALS, EPOCHS, SEED = 8, 5, 197
CRASHES, KILLED = 0, 1  # with this seed; both happen before the sweep itself is killed
LATE_SEED = 9  # of four trials the two last have a fault
FLAGS = dict(trials=TRIALS, epochs=EPOCHS, seed=SEED)
SWEEP = f"out/ray_tune/05_faults/{TRIALS}-{EPOCHS}-{SEED}"
REASON = "ValueError: in_channels must be divisible by groups"


def steps(log: Path) -> list[list]:
    """[time, process id, trial, epoch] of every epoch that was begun, in their order."""
    lines = log.read_text().rpartition("\n")[0].splitlines()  # the last may be half written
    return [json.loads(line) for line in lines]


def one_failed_and_two_are_done(sweep: Path) -> bool:
    """It is written down, and so is how the one failed."""
    told = sweep / str(CRASHES) / "error.txt"
    if not told.exists() or told.read_text().count(REASON) < 2:  # copied by a thread
        return False
    states = [path.read_text() for path in sweep.glob("experiment_state-*.json")]
    return any(text.count("TERMINATED") >= 2 and "ERROR" in text for text in states)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory) -> tuple[dict, list]:
    """The baseline's figures and steps."""
    folder = tmp_path_factory.mktemp("baseline")
    figures = call_main(BASELINE, FLAGS, {}, cwd=folder).figures
    return figures, steps(folder / "out/ray_tune/05_faults/baseline/epochs.log")


@pytest.fixture(scope="module")
def sweep_killed(tmp_path_factory) -> tuple[Path, list, str]:
    """A sweep that was killed: its folder, its steps, and what it wrote about the crash."""
    folder = tmp_path_factory.mktemp("ray")
    flags = [f"--{key}={value}" for key, value in FLAGS.items()]
    dead = run_until(lambda _: one_failed_and_two_are_done(folder / SWEEP), RAY, *flags, cwd=folder)
    assert dead.exit_code == KILL_9, dead.error
    told = (folder / SWEEP / str(CRASHES) / "error.txt").read_text()
    return folder, steps(folder / SWEEP / "epochs.log"), told


@pytest.fixture(scope="module")
def restored(sweep_killed) -> tuple[dict, list, list]:
    """The same command again: its figures, and the steps before and after."""
    folder, before, _ = sweep_killed
    figures = call_main(RAY, FLAGS, SHARED.env(), cwd=folder).figures
    return figures, before, steps(folder / SWEEP / "epochs.log")[len(before) :]


def test_what_was_done_is_not_run_again(restored) -> None:
    figures, before, after = restored
    assert len(figures["before"]) >= 2 and figures["again"] == 0
    for trial in figures["before"]:
        assert [trial, EPOCHS - 1] in [step[2:] for step in before]
        assert trial not in [step[2] for step in after]


def test_what_was_interrupted_goes_on_at_its_checkpoint(restored) -> None:
    _, before, after = restored
    reached = {trial: epoch for *_, trial, epoch in before}
    begun = {trial: epoch for *_, trial, epoch in reversed(after)}
    for trial in begun.keys() & reached.keys():
        assert abs(begun[trial] - reached[trial]) <= 1, "an epoch more or less, and not from 0 on"
    for trial in begun.keys() - reached.keys():
        assert begun[trial] == 0


def test_the_killed_trial_goes_on_at_its_checkpoint(restored) -> None:
    _, before, after = restored
    made = [(pid, epoch) for _, pid, trial, epoch in before + after if trial == KILLED]
    first, *others = dict.fromkeys(pid for pid, _ in made)
    assert others, "the trial had one process only, so it was not killed"
    half = EPOCHS // 2
    assert [epoch for pid, epoch in made if pid == first] == list(range(half + 1))
    assert min(epoch for pid, epoch in made if pid != first) == half


def test_the_crash_is_named_and_stays_out(restored, sweep_killed) -> None:
    figures, _, _ = restored
    folder, _, told = sweep_killed
    assert (folder / SWEEP / str(CRASHES) / "error.txt").read_text() == told
    assert set(figures["failures"]) == {str(CRASHES), str(KILLED)}
    texts = figures["failures"][str(CRASHES)]
    assert [text.strip().splitlines()[-1] for text in texts] == [REASON, REASON]
    (text,) = figures["failures"][str(KILLED)]
    assert "its worker process has died" in text


@pytest.mark.thorough
def test_after_all_this_every_loss_is_the_baselines(restored, by_hand) -> None:
    assert len(by_hand[0]["losses"]) == TRIALS - 1
    assert restored[0]["losses"] == by_hand[0]["losses"]


@pytest.mark.thorough
def test_by_hand_the_killed_trial_begins_at_epoch_0(by_hand) -> None:
    figures, made = by_hand
    assert [epoch for *_, trial, epoch in made if trial == KILLED] == [*range(3), *range(EPOCHS)]
    assert figures["repeated"] == 3
    assert set(figures["failures"]) == {str(CRASHES), str(KILLED)}
    assert [text.strip() for text in figures["failures"][str(CRASHES)]] == [REASON, REASON]


@pytest.mark.thorough
def test_by_hand_a_killed_sweep_starts_over(tmp_path) -> None:
    log = tmp_path / "out/ray_tune/05_faults/baseline/epochs.log"

    def the_third_trial_runs(_: int) -> bool:
        return log.exists() and any(step[2] == 2 for step in steps(log))

    few = dict(trials=4, epochs=2, seed=LATE_SEED)
    flags = [f"--{key}={value}" for key, value in few.items()]
    dead = run_until(the_third_trial_runs, BASELINE, *flags, cwd=tmp_path, env={})
    assert dead.exit_code == KILL_9, dead.error
    assert "trial 1: loss" in dead.stdout, "two trials were done"
    again = call_main(BASELINE, few, {}, cwd=tmp_path).figures
    assert [step[2:] for step in steps(log)][:2] == [[0, 0], [0, 1]]
    assert again["epochs"] == 3 * 2 + again["repeated"]


def test_a_finished_sweep_is_not_restored(restored, sweep_killed, monkeypatch) -> None:
    """Another start begins anew, and has emptied its folder before Ray starts."""

    def stop(**given) -> None:
        raise KeyboardInterrupt

    folder = sweep_killed[0]
    monkeypatch.setattr(ray, "init", stop)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.chdir(folder)
    start, state = runpy.run_path(str(RAY))["main"], folder / SWEEP / "kept"
    for over in (False, True):
        state.touch()
        if not over:
            (folder / SWEEP / "over").rename(folder / "over")
        else:
            (folder / "over").rename(folder / SWEEP / "over")
        with pytest.raises(KeyboardInterrupt):
            start(**FLAGS)
        assert state.exists() != over
