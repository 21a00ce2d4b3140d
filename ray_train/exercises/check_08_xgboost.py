import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import xgboost
from sklearn.datasets import load_digits

from ray.train import Checkpoint
from ray.train.xgboost import RayTrainReportCallback

WORKERS, ROUNDS, KEPT = 3, 30, 10


def check(attempt) -> str:
    pixels, labels = load_digits(return_X_y=True)
    calls = [call_of(attempt, rank) for rank in range(WORKERS)]
    rows = sum(call["data"].num_row() for call in calls)
    assert rows != WORKERS * len(pixels), "every worker has all rows: pixels[rank::workers]"
    assert rows == len(pixels), f"{WORKERS} workers have {rows} rows together, not {len(pixels)}"
    seen = np.concatenate([rows_of(call["data"]) for call in calls])
    both = np.column_stack([pixels, labels])
    assert (sorted_rows(seen) == sorted_rows(both)).all(), (
        "some rows are with two workers and some with none, or have another row's label"
    )
    callbacks = [c for c in calls[0]["callbacks"] if isinstance(c, RayTrainReportCallback)]
    assert callbacks, "nothing is kept: callbacks=[RayTrainReportCallback(...)]"
    frequency = callbacks[0]._frequency
    assert frequency == KEPT, (
        f"a model is kept every {KEPT} rounds: frequency={KEPT}, not {frequency}"
    )
    assert calls[0]["rounds"] == ROUNDS, f"{calls[0]['rounds']} rounds, config says {ROUNDS}"

    with tempfile.TemporaryDirectory() as folder:
        model = xgboost.train(attempt.PARAMS, xgboost.DMatrix(pixels[:99], labels[:99]), KEPT)
        model.save_model(Path(folder) / RayTrainReportCallback.CHECKPOINT_NAME)
        again = call_of(attempt, 0, Checkpoint.from_directory(folder))
    assert again["model"] is not None, "a checkpoint is there, but training begins with no tree"
    assert again["rounds"] == ROUNDS - KEPT, (
        f"{KEPT} of {ROUNDS} rounds were kept, and now come {again['rounds']}: not {ROUNDS - KEPT}"
    )
    return f"{WORKERS} workers share {rows} rows, and from round {KEPT} on it does not start again"


def call_of(attempt, rank: int, checkpoint: Checkpoint | None = None) -> dict:
    """What the attempt, as this worker, gives to xgboost.train."""
    calls = []

    def train(params, dtrain, num_boost_round=10, *, xgb_model=None, callbacks=None, **more):
        given = dict(data=dtrain, rounds=num_boost_round, model=xgb_model)
        calls.append(given | dict(callbacks=callbacks or []))

    with patch.object(xgboost, "train", train):
        attempt.boost(ROUNDS, rank, WORKERS, checkpoint)
    assert len(calls) == 1, f"xgboost.train is called {len(calls)} times in a worker, not once"
    return calls[0]


def rows_of(data: xgboost.DMatrix) -> np.ndarray:
    return np.column_stack([data.get_data().toarray(), data.get_label()])


def sorted_rows(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T)]
