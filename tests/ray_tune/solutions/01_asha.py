from ray import tune
from ray.tune.schedulers import ASHAScheduler

EPOCHS = 20

SPACE = {"lr": tune.loguniform(1e-4, 1)}


def train(config: dict) -> None:
    weight = 10.0
    for _ in range(EPOCHS):
        weight -= config["lr"] * 2 * (weight - 3)
        tune.report({"loss": (weight - 3) ** 2})


def search() -> tune.TuneConfig:
    return tune.TuneConfig(
        metric="loss",
        mode="min",
        num_samples=24,
        scheduler=ASHAScheduler(max_t=EPOCHS, grace_period=2, reduction_factor=4),
        reuse_actors=True,
    )


def sweep() -> tune.Tuner:
    """What sweep().fit() would run."""
    return tune.Tuner(train, param_space=SPACE, tune_config=search())
