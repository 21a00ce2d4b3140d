"""Optuna inside Tune goes the way that Optuna alone goes, trial by trial, and each loss counts."""

import json
import runpy

import optuna
import pytest

from support import SHARED, Call, call_main
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_tune/02_optuna_{twin}.py" for twin in ("baseline", "ray"))
STARTUP, TRIALS = 10, 14  # TPE draws the first ten at random
RESULTS = ROOT / "out" / "ray_tune" / "02_optuna"


@pytest.fixture(scope="module")
def space() -> dict:
    return runpy.run_path(str(ROOT / BASELINE))["SPACE"]


@pytest.fixture(scope="module")
def alone() -> Call:
    return call_main(BASELINE, dict(trials=TRIALS, seed=3), SHARED.env())


@pytest.fixture(scope="module")
def inside() -> Call:
    (RESULTS / "ray.png").unlink(missing_ok=True)
    return call_main(RAY, dict(trials=TRIALS, seed=3), SHARED.env())


@pytest.fixture(scope="module")
def one_by_one() -> dict:
    return call_main(RAY, dict(trials=STARTUP + 2, workers=1, seed=3), SHARED.env()).figures


def asked(space: dict, losses: list[float], workers: int) -> list[dict]:
    """What Optuna suggests when these are the losses of its trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study, found = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3)), []
    while len(found) < len(losses):
        batch = [study.ask(space) for _ in range(min(workers, len(losses) - len(found)))]
        for trial in batch:
            study.tell(trial, losses[len(found)])
            found.append(trial.params)
    return found


def test_the_same_trials_and_losses_to_the_last_bit(alone, inside) -> None:
    assert inside.figures["configurations"] == alone.figures["configurations"]
    assert inside.figures["losses"] == alone.figures["losses"]
    assert inside.figures["answer"] == f"{min(inside.figures['losses']):.6f}"
    best = inside.figures["losses"].index(min(inside.figures["losses"]))
    assert inside.figures["best"] == inside.figures["configurations"][best]


def test_optuna_heard_every_loss(inside, space) -> None:
    losses, found = inside.figures["losses"], inside.figures["configurations"]
    assert asked(space, losses, 2) == found
    other = asked(space, losses[::-1], 2)
    assert other[:STARTUP] == found[:STARTUP], "the first ten are drawn before anything is known"
    assert all(a != b for a, b in zip(other[STARTUP:], found[STARTUP:], strict=True))


def test_one_at_a_time_is_what_optimize_does(one_by_one, space) -> None:
    losses, found = iter(one_by_one["losses"]), []

    def objective(trial: optuna.Trial) -> float:
        lr = trial.suggest_float("lr", space["lr"].low, space["lr"].high, log=True)
        momentum = trial.suggest_float("momentum", 0, space["momentum"].high)
        decay = trial.suggest_float("decay", space["decay"].low, space["decay"].high, log=True)
        batch = trial.suggest_categorical("batch", space["batch"].choices)
        found.append(dict(lr=lr, momentum=momentum, decay=decay, batch=batch))
        return next(losses)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3))
    study.optimize(objective, n_trials=STARTUP + 2)
    assert found == one_by_one["configurations"]


def test_batches_go_another_way_than_one_by_one(one_by_one, inside) -> None:
    ways = one_by_one["configurations"], inside.figures["configurations"]
    assert ways[0][:STARTUP] == ways[1][:STARTUP]
    assert ways[0][STARTUP + 1] != ways[1][STARTUP + 1]


def test_a_line_for_each_trial_and_the_picture(alone, inside) -> None:
    for call, twin in ((alone, "baseline"), (inside, "ray")):
        lines = [line for line in call.run.stdout.splitlines() if line.startswith("trial ")]
        assert len(lines) == TRIALS
        assert (RESULTS / f"{twin}.png").read_bytes().startswith(b"\x89PNG")


def test_one_process_for_one_worker(one_by_one) -> None:
    files = list(RESULTS.glob("sweep/*/result.json"))
    pids = {json.loads(line)["pid"] for file in files for line in file.read_text().splitlines()}
    assert len(files) == STARTUP + 2 and len(pids) == 1


@pytest.mark.parametrize("script", [BASELINE, RAY])
@pytest.mark.parametrize("flags", [("--sampler", "luck"), ("--workers", "0")])
def test_refused_before_anything_starts(run, script, flags) -> None:
    refused = run(script, *flags, env={"RAY_ADDRESS": "127.0.0.1:1"})
    assert refused.exit_code == 2
    assert flags[0] in refused.stderr and "Traceback" not in refused.stderr
