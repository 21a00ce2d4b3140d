import random
from types import SimpleNamespace
from unittest.mock import patch

from ray import tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

EPOCHS, RUNGS, FACTOR, SAMPLES = 20, [2, 8], 4, 24


def check(attempt) -> str:
    check_reports(attempt)
    found = attempt.search()
    assert isinstance(found, tune.TuneConfig), "search() returns no tune.TuneConfig"
    assert found.num_samples == SAMPLES, f"num_samples is {found.num_samples}, not {SAMPLES}"
    assert isinstance(found.scheduler, ASHAScheduler), "no scheduler=ASHAScheduler(...) yet"
    assert found.metric or found.scheduler._metric, 'which figure counts? metric="loss"'
    assert found.metric in ("loss", None), f"train() reports a loss, not '{found.metric}'"
    mode = found.mode or found.scheduler._mode
    assert mode != "max", "mode='max' would keep the worst: of losses the smallest is best"
    assert mode == "min", "is more better or less? mode is missing"
    assert found.reuse_actors, "every trial would start a process of its own: reuse_actors"
    assert found.scheduler.set_search_properties(found.metric, found.mode), (
        "metric and mode stand twice, which fit() refuses: in TuneConfig or in the scheduler"
    )
    check_decisions(found.scheduler)
    return f"each trial has {RUNGS[0]} epochs, and of {FACTOR} one goes on, to {EPOCHS} at most"


def check_reports(attempt) -> None:
    reports = []

    def report(metrics: dict | None = None, **more: object) -> None:
        assert metrics is not None, "tune.report takes one dict: tune.report({'loss': loss})"
        reports.append(metrics)

    scope = attempt.train.__globals__
    with patch.object(tune, "report", report):
        bound = {"report": report} if "report" in scope else {}
        with patch.dict(scope, bound):
            result = attempt.train({"lr": 0.1})
    assert result is None or len(reports) == EPOCHS, (
        "what train() returns comes when it is too late to stop: tune.report({'loss': ...})"
    )
    assert len(reports) == EPOCHS, (
        f"{EPOCHS} epochs and {len(reports)} reports: only a trial that reports can be stopped"
    )
    assert all(isinstance(metrics, dict) and "loss" in metrics for metrics in reports), (
        "tune.report takes a dict with the key 'loss'"
    )
    for epoch, metrics in enumerate(reports, 1):
        right = (7 * 0.8**epoch) ** 2
        assert abs(metrics["loss"] - right) < 1e-6, (
            f"after epoch {epoch} the loss is {right:.3f}, and {metrics['loss']:.3f} is reported"
        )


def check_decisions(scheduler: ASHAScheduler) -> None:
    """Of many trials, which come to each epoch in another order: how many go on, and how far?"""
    trials = [SimpleNamespace(trial_id=str(number), loss=float(number)) for number in range(400)]
    for trial in trials:
        scheduler.on_trial_add(None, trial)
    shuffled = random.Random(0)
    for epoch in range(1, EPOCHS + 1):
        before = len(trials)
        shuffled.shuffle(trials)
        trials = [trial for trial in trials if goes_on(scheduler, trial, epoch)]
        share = len(trials) / before
        if epoch == EPOCHS:
            assert not trials, f"a trial would have more than {EPOCHS} epochs: max_t={EPOCHS}"
        elif epoch not in RUNGS:
            assert share == 1, (
                f"trials are stopped after {epoch} epochs, not only after {RUNGS[0]} and"
                f" {RUNGS[1]}: grace_period, reduction_factor, max_t"
            )
        else:
            assert share < 1, f"nothing is stopped after {epoch} epochs: grace_period={RUNGS[0]}"
            assert abs(share - 1 / FACTOR) < 0.1, (
                f"after {epoch} epochs {share:.0%} go on, not a quarter: reduction_factor={FACTOR}"
            )


def goes_on(scheduler: ASHAScheduler, trial: SimpleNamespace, epoch: int) -> bool:
    result = {"training_iteration": epoch, "loss": trial.loss}
    return scheduler.on_trial_result(None, trial, result) == TrialScheduler.CONTINUE
