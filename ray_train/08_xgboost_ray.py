"""Gradient boosted trees for handwritten digits: Ray's XGBoostTrainer, rows split over two workers.

    python ray_train/08_xgboost_ray.py

`ready` is from the command to the first round. The answer counts the held-out digits that are
recognised, and `trees` is a digest of every split and leaf.
Last line: 40 rounds in 8.13 s (4.9 rounds/s), answer 437
"""

import hashlib
import os  # NEW:
import shutil
import time
from pathlib import Path  # NEW:

import psutil
import typer
import xgboost
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import ray  # NEW:
from ray.train import RunConfig, ScalingConfig  # NEW:
from ray.train.xgboost import RayTrainReportCallback, XGBoostTrainer  # NEW:

TREES = dict(objective="multi:softmax", num_class=10, max_depth=4, tree_method="hist")


def digits(seed: int) -> list:
    """Pixels to train with, pixels held out, labels to train with, labels held out."""
    return train_test_split(*load_digits(return_X_y=True), test_size=0.25, random_state=seed)


def train(config: dict) -> dict:
    """One worker of the run: it has its share of the rows, and all build each tree together."""
    pixels, _, labels, _ = digits(config["seed"])
    rank, workers = ray.train.get_context().get_world_rank(), config["workers"]  # NEW:
    params = TREES | dict(nthread=1, device="cuda" if config["gpu"] else "cpu")  # NEW:
    data = xgboost.DMatrix(pixels[rank::workers], labels[rank::workers])  # NEW:
    reporting = [RayTrainReportCallback()]  # NEW: a report every round, the model at the end
    first_round, start = time.time(), time.perf_counter()
    xgboost.train(params, data, config["rounds"], callbacks=reporting)  # NEW:
    return dict(seconds=time.perf_counter() - start, first_round=first_round)  # NEW:


def main(rounds: int = 40, workers: int = 2, gpu: bool = False, seed: int = 42) -> dict:
    """ROUNDS of ten trees, one for each digit, on WORKERS cores (a thread or a process each)."""
    if rounds < 1 or not 1 <= workers <= 64:
        raise typer.BadParameter("--rounds starts at 1, --workers at 1 and ends at 64")
    if gpu and not shutil.which("nvidia-smi"):
        raise typer.BadParameter("--gpu: there is no GPU here")

    config = dict(rounds=rounds, workers=workers, gpu=gpu, seed=seed)
    command = psutil.Process().create_time()
    folder = Path("out/ray_train/08_xgboost").absolute()  # NEW:
    shutil.rmtree(folder, ignore_errors=True)  # NEW: else Ray resumes that run
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")  # NEW: a report waits for it
    ray.init()  # NEW:
    there = ray.cluster_resources()  # NEW:
    if workers > min(there["CPU"], there.get("GPU", 0) if gpu else workers):  # NEW:
        raise typer.BadParameter(f"{workers} workers want more CPUs or GPUs than Ray has")  # NEW:
    scaling = ScalingConfig(num_workers=workers, use_gpu=gpu)  # NEW:
    kept = RunConfig(storage_path=str(folder.parent), name=folder.name)  # NEW:
    given = dict(train_loop_config=config, scaling_config=scaling, run_config=kept)  # NEW:
    result = XGBoostTrainer(train, **given).fit()  # NEW:
    done, model = result.return_value, RayTrainReportCallback.get_model(result.checkpoint)  # NEW:

    _, pixels, _, labels = digits(seed)
    answer = int((model.predict(xgboost.DMatrix(pixels)) == labels).sum())
    trees = hashlib.sha256("".join(model.get_dump()).encode()).hexdigest()[:12]
    ready, seconds = done["first_round"] - command, done["seconds"]
    print(f"{len(model.get_dump())} trees {trees}, {answer} of {len(labels)} digits recognised")
    print(f"ready in {ready:.1f} s")
    print(f"{rounds} rounds in {seconds:.2f} s ({rounds / seconds:.1f} rounds/s), answer {answer}")
    figures = dict(items=rounds, unit="rounds", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, trees=trees, held_out=len(labels))


if __name__ == "__main__":
    typer.run(main)
