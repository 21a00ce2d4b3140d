"""Exercise 1: a search that gives up early on what is bad.

Let train() tell Tune the loss after every epoch, and complete search(): ASHA lets every trial have
2 epochs, then 8, then 20 and no more, and of those that come to 2 or 8 about the best quarter goes
on. There are 24 trials, and a process that is done with one takes the next.

    make check EX=ray_tune/01
"""

from ray import tune
from ray.tune.schedulers import ASHAScheduler  # noqa: F401

EPOCHS = 20

SPACE = {"lr": tune.loguniform(1e-4, 1)}


def train(config: dict) -> None:
    weight = 10.0
    for _ in range(EPOCHS):
        weight -= config["lr"] * 2 * (weight - 3)
        loss = (weight - 3) ** 2  # noqa: F841
    raise NotImplementedError("tell Tune the loss, after every epoch")


def search() -> tune.TuneConfig:
    raise NotImplementedError("24 samples of SPACE; the metric, its mode, the scheduler")


def sweep() -> tune.Tuner:
    """What sweep().fit() would run."""
    return tune.Tuner(train, param_space=SPACE, tune_config=search())
