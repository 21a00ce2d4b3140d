import xgboost
from sklearn.datasets import load_digits

import ray.train
from ray.train import Checkpoint
from ray.train.xgboost import RayTrainReportCallback

PARAMS = dict(objective="multi:softmax", num_class=10, max_depth=4, nthread=1)


def train(config: dict) -> None:
    context, checkpoint = ray.train.get_context(), ray.train.get_checkpoint()
    boost(config["rounds"], context.get_world_rank(), context.get_world_size(), checkpoint)


def boost(rounds: int, rank: int, workers: int, checkpoint: Checkpoint | None) -> None:
    pixels, labels = load_digits(return_X_y=True)
    model = None
    if checkpoint:
        model = RayTrainReportCallback.get_model(checkpoint)
        rounds -= model.num_boosted_rounds()
    data = xgboost.DMatrix(pixels[rank::workers], labels[rank::workers])
    keeping = RayTrainReportCallback(frequency=10)
    xgboost.train(PARAMS, data, rounds, xgb_model=model, callbacks=[keeping])
