"""A trial is a run of Ray Train: its losses are torchrun's, and what it is not allowed to be."""

import pytest

from ray import train, tune
from ray.train.torch import TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback

from support import as_attendee, refusal, twins

BASELINE, RAY = (f"ray_tune/04_tune_train_{twin}.py" for twin in ("baseline", "ray"))


@pytest.mark.thorough
def test_every_loss_of_every_run_is_torchruns_to_the_last_bit() -> None:
    by_hand, by_tune = (as_attendee(script).figures["losses"] for script in (BASELINE, RAY))
    assert by_tune == by_hand
    assert len(by_tune) == 2 and by_tune[0] != by_tune[1]
    for losses in by_tune:
        assert len(losses) == 10 and losses[-1] < losses[0], "it does not learn"


@pytest.mark.parametrize("script", twins(BASELINE, RAY))
def test_the_best_rate_has_the_smallest_last_loss(script) -> None:
    figures, run = as_attendee(script).figures, as_attendee(script).run
    best = min(losses[-1] for losses in figures["losses"])
    assert figures["answer"] == f"{best:.6f}"
    assert f"best: rate {figures['rate']:.4f}" in run.stdout
    assert f"rate {figures['rate']:.4f}: loss {best:.4f}" in run.stdout


def test_more_workers_than_cpus_is_said_not_waited_for(run) -> None:
    refused = run(RAY, "--workers", "64")
    assert refused.exit_code == 2
    assert "64 workers want more CPUs than Ray's 8" in " ".join(refused.stderr.split())


def test_one_worker_has_nobody_to_share_with() -> None:
    assert "--workers at 2" in refusal(RAY, "--workers", "1")


def test_what_tutorials_still_show(tmp_path) -> None:
    with pytest.raises(tune.TuneError, match="not string nor trainable"):
        tune.Tuner(TorchTrainer(lambda: None))
    with pytest.warns(match=r"should be imported from `ray\.tune`"):
        tune.Tuner(lambda config: None, run_config=train.RunConfig(storage_path=str(tmp_path)))
    with pytest.raises(RuntimeError, match="must be used in a Tune session"):
        TuneReportCallback()
