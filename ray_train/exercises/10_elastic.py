"""Exercise 10: a run that may lose a machine, and get another.

scaling() lets Ray Train choose the number of workers, and look for a change every two seconds.
train() learns each number of config["numbers"] once in an epoch, the workers share them. When the
number of workers changes, Ray calls it again in all of them: it goes on after the last whole epoch.

    make check EX=ray_train/10
"""

from pathlib import Path  # noqa: F401
from tempfile import TemporaryDirectory  # noqa: F401

import ray.train
from ray.train import Checkpoint, ScalingConfig  # noqa: F401


def scaling(most: int) -> ScalingConfig:
    """At least one worker, at most MOST."""
    raise NotImplementedError("a ScalingConfig with a pair as num_workers")


def train(config: dict) -> None:
    """config["learn"](epoch, number) learns one number."""
    context, first = ray.train.get_context(), 0
    rank, workers = context.get_world_rank(), context.get_world_size()
    raise NotImplementedError(
        "first: the epoch after the one in ray.train.get_checkpoint(), if any"
    )
    for epoch in range(first, config["epochs"]):
        for number in config["numbers"][rank::workers]:
            config["learn"](epoch, number)
        raise NotImplementedError("all report the epoch; rank 0 with a checkpoint that holds it")
