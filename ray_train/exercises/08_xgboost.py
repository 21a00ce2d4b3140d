"""Exercise 8: a boosting that a dead worker does not throw back to its start.

Complete boost(), which runs in every worker. The worker trains on its share of the digits: all
workers together have each one once. A model is kept every 10 rounds, and training goes on from the
last one that was kept, where there is one, up to so many rounds in all.

    make check EX=ray_train/08
"""

import xgboost  # noqa: F401
from sklearn.datasets import load_digits  # noqa: F401

import ray.train
from ray.train import Checkpoint
from ray.train.xgboost import RayTrainReportCallback  # noqa: F401

PARAMS = dict(objective="multi:softmax", num_class=10, max_depth=4, nthread=1)


def train(config: dict) -> None:
    """What XGBoostTrainer gets."""
    context, checkpoint = ray.train.get_context(), ray.train.get_checkpoint()
    boost(config["rounds"], context.get_world_rank(), context.get_world_size(), checkpoint)


def boost(rounds: int, rank: int, workers: int, checkpoint: Checkpoint | None) -> None:
    raise NotImplementedError("xgboost.train(PARAMS, own rows, rounds, xgb_model=.., callbacks=..)")
