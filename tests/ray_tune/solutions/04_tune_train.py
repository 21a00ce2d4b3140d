from ray import train, tune
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback

SPACE = {"lr": tune.grid_search([0.1, 0.01])}


def loop(config: dict) -> None:
    train.report({"loss": (config["lr"] - 0.03) ** 2})


def trial(config: dict) -> None:
    TorchTrainer(
        loop,
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=2, resources_per_worker={"CPU": 0.4}),
        run_config=RunConfig(
            name=tune.get_context().get_trial_id(), callbacks=[TuneReportCallback()]
        ),
    ).fit()


def sweep() -> tune.Tuner:
    return tune.Tuner(tune.with_resources(trial, {"cpu": 0.2}), param_space=SPACE)
