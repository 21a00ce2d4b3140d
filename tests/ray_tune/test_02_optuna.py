"""Inside Tune it is Optuna that chooses: two at a time are ahead of it, and every loss counts."""

import json
import re
import runpy

import optuna
import psutil
import pytest

from support import Call, as_attendee
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_tune/02_optuna_{twin}.py" for twin in ("baseline", "ray"))
RANDOM, SEED = 10, 42  # TPE draws the first ten at random; the default
RESULTS = ROOT / "out" / "ray_tune" / "02_optuna"


@pytest.fixture(scope="module")
def space() -> dict:
    return runpy.run_path(str(ROOT / BASELINE))["SPACE"]


@pytest.fixture(scope="module")
def alone() -> Call:
    return as_attendee(BASELINE)


@pytest.fixture(scope="module")
def inside() -> Call:
    return as_attendee(RAY)


def order(call: Call) -> list[int]:
    """The numbers of the trials, as they were done."""
    return [int(number) for number in re.findall(r"^trial (\d+): ", call.run.stdout, re.M)]


def asked(space: dict, losses: list[float], done: list[int], at_once: int) -> list[dict]:
    """What Optuna suggests that hears these losses in this order, with so many under way."""
    study, trials = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=SEED)), []
    for told, number in enumerate(done):
        while len(trials) < min(told + at_once, len(losses)):
            trials.append(study.ask(space))
        study.tell(trials[number], losses[number])
    return [trial.params for trial in trials]


@pytest.mark.thorough
def test_the_first_ten_are_the_same_to_the_last_bit(alone, inside) -> None:
    for key in ("tried", "losses"):
        assert inside.figures[key][:RANDOM] == alone.figures[key][:RANDOM]


def test_optuna_chose_with_two_under_way_and_heard_every_loss(inside, space) -> None:
    losses, tried, done = inside.figures["losses"], inside.figures["tried"], order(inside)
    assert sorted(done) == list(range(len(losses)))
    assert asked(space, losses, done, 2) == tried
    other = asked(space, [-loss for loss in losses], done, 2)
    assert other[:RANDOM] == tried[:RANDOM], "drawn before anything is known"
    assert other[-1] != tried[-1]
    assert asked(space, losses, sorted(done), 1)[RANDOM + 1 :] != tried[RANDOM + 1 :]


@pytest.mark.thorough
def test_the_baseline_does_what_optimize_does(alone, space) -> None:
    losses, tried = iter(alone.figures["losses"]), []

    def objective(trial: optuna.Trial) -> float:
        lr = trial.suggest_float("lr", space["lr"].low, space["lr"].high, log=True)
        momentum = trial.suggest_float("momentum", 0, space["momentum"].high)
        decay = trial.suggest_float("decay", space["decay"].low, space["decay"].high, log=True)
        batch = trial.suggest_categorical("batch", space["batch"].choices)
        tried.append(dict(lr=lr, momentum=momentum, decay=decay, batch=batch))
        return next(losses)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=SEED))
    study.optimize(objective, n_trials=len(alone.figures["losses"]))
    assert tried == alone.figures["tried"]


def test_two_processes_ran_all_trials_two_at_a_time(inside) -> None:
    """One after another, trials could not have taken longer than the whole of them."""
    files = [file.read_text().splitlines() for file in RESULTS.glob("sweep/*/result.json")]
    last = [json.loads(lines[-1]) for lines in files]
    assert len(last) == len(inside.figures["losses"])
    assert len({trial["pid"] for trial in last}) == 2
    assert sum(trial["time_total_s"] for trial in last) > inside.figures["seconds"]


@pytest.mark.thorough
def test_the_best_is_the_smallest_loss_and_in_the_picture(alone, inside) -> None:
    for call, twin in ((alone, "baseline"), (inside, "ray")):
        losses, file = call.figures["losses"], RESULTS / f"{twin}.png"
        random, best = min(losses[:RANDOM]), call.figures["best"]
        assert losses[best] == min(losses)
        said = f"best loss: {random:.4f} at random, then {losses[best]:.4f} in trial {best}; "
        assert said + str(file.relative_to(ROOT)) in call.run.stdout
        assert file.read_bytes().startswith(b"\x89PNG")
        assert file.stat().st_mtime > psutil.Process().create_time(), "left from before"
