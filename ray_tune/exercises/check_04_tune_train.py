from types import SimpleNamespace
from unittest.mock import patch

import ray.train.torch
import ray.tune.integration.ray_train
from ray import tune

WORKERS, CPUS, CONFIG, NAME = 2, 0.4, {"lr": 0.1}, "trial_00007"


class Recorded:
    """Stands where TorchTrainer or TuneReportCallback would, and starts nothing."""

    made: tuple["Recorded", ...] = ()

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.args, self.kwargs, self.fitted = args, kwargs, False
        type(self).made += (self,)

    def fit(self) -> None:
        self.fitted = True


def check(attempt) -> str:
    check_trial(attempt)
    tuner = attempt.sweep()
    assert isinstance(tuner, tune.Tuner), "sweep() returns no tune.Tuner"
    check_resources(tuner, attempt.SPACE)
    return f"two trials fit on two CPUs, each a run of {WORKERS} workers whose reports reach Tune"


def check_trial(attempt) -> None:
    trainers = type("Trainer", (Recorded,), {})
    callbacks = type("Callback", (Recorded, ray.train.UserCallback), {})
    scope = attempt.trial.__globals__
    fakes = {"TorchTrainer": trainers, "TuneReportCallback": callbacks}
    with (
        patch.dict(scope, {name: fake for name, fake in fakes.items() if name in scope}),
        patch.object(ray.train.torch, "TorchTrainer", trainers),
        patch.object(tune, "get_context", lambda: SimpleNamespace(get_trial_id=lambda: NAME)),
        patch.object(ray.tune.integration.ray_train, "TuneReportCallback", callbacks),
    ):
        attempt.trial(dict(CONFIG))
    assert len(trainers.made) == 1, "trial() builds no TorchTrainer"
    (trainer,) = trainers.made
    assert trainer.fitted, "the trainer is built and never started: fit()"
    given = trainer.kwargs
    work = given.get("train_loop_per_worker", *trainer.args[:1])
    assert work is attempt.loop, "the workers run loop(): it is the trainer's first argument"
    assert given.get("train_loop_config") == CONFIG, (
        "loop() would not see its learning rate: train_loop_config=config"
    )
    scaling = given.get("scaling_config")
    assert scaling and scaling.num_workers == WORKERS, f"num_workers is not {WORKERS}"
    asked = (scaling.resources_per_worker or {"CPU": 1}).get("CPU", 1)
    assert asked == CPUS, f"a worker asks for {asked} CPUs, not {CPUS}: resources_per_worker"
    run = given.get("run_config")
    assert run and run.name == NAME, (
        "runs that start in the same second would share a folder: the trial's id is their name"
    )
    found = run.callbacks or []
    assert any(isinstance(callback, callbacks) for callback in found), (
        "Tune would never hear of a loss: RunConfig(callbacks=[TuneReportCallback()])"
    )


def check_resources(tuner: tune.Tuner, space: dict) -> None:
    inner = tuner._local_tuner
    name = getattr(inner.trainable, "__name__", "")
    assert name == "trial", f"the Tuner runs {name or 'something else'} and not trial()"
    assert inner._param_space == space, "the Tuner does not try SPACE: param_space=SPACE"
    resources = getattr(inner.trainable, "_resources", None)
    assert resources, (
        "by default a trial asks for a whole CPU beside its workers': tune.with_resources"
    )
    asked = resources if isinstance(resources, dict) else resources.required_resources
    asked = {name.lower(): share for name, share in asked.items()}.get("cpu", 0)
    assert asked > 0, "0 CPUs are refused when the sweep starts: a trial wants a little, as 0.2"
    both = 2 * (asked + WORKERS * CPUS)
    assert both <= 2 + 1e-9, f"two trials with their workers want {both:g} CPUs, and there are 2"
