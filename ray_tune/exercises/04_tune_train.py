"""Exercise 4: a trial that is a run of two workers.

Complete trial(): it builds a TorchTrainer for loop() with two workers of 0.4 CPUs each and the
trial's configuration, hands every report of the run on to Tune, and fits it. The run's name is the
trial's id, tune.get_context().get_trial_id(), so that none shares a folder. Then, in sweep(), ask
for so few CPUs for the trial itself that two trials fit on two CPUs.

    make check EX=ray_tune/04
"""

from ray import train, tune
from ray.train import RunConfig, ScalingConfig  # noqa: F401
from ray.train.torch import TorchTrainer  # noqa: F401
from ray.tune.integration.ray_train import TuneReportCallback  # noqa: F401

SPACE = {"lr": tune.grid_search([0.1, 0.01])}


def loop(config: dict) -> None:
    train.report({"loss": (config["lr"] - 0.03) ** 2})


def trial(config: dict) -> None:
    raise NotImplementedError("a TorchTrainer for loop, and its fit()")


def sweep() -> tune.Tuner:
    raise NotImplementedError("tune.with_resources(trial, ...), and a Tuner of it over SPACE")
