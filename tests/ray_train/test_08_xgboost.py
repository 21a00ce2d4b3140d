"""Boosting in two workers grows the trees of one thread; the rows are really split."""

import runpy
from types import SimpleNamespace

import numpy as np
import pytest
import xgboost
from sklearn.datasets import load_digits

import ray.train
from ray.train.xgboost import XGBoostTrainer

from support import Call, as_attendee, here
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_train/08_xgboost_{twin}.py" for twin in ("baseline", "ray"))
ROUNDS, SEED = 40, 42  # the defaults


@pytest.fixture(scope="module")
def by_ray() -> Call:
    return as_attendee(RAY)


def test_the_trees_of_one_thread_to_the_last_bit(by_ray) -> None:
    plain = here(BASELINE, rounds=ROUNDS, workers=1, seed=SEED)
    assert by_ray.figures["trees"] == plain["trees"]
    assert f"{10 * ROUNDS} trees {plain['trees']}" in by_ray.run.stdout
    assert plain["answer"] > 0.9 * plain["held_out"]


def test_two_threads_differ_in_the_last_bits_only() -> None:
    train = runpy.run_path(str(ROOT / BASELINE))["train"]
    one, two = (train(dict(rounds=ROUNDS, workers=n, gpu=False, seed=42))["model"] for n in (1, 2))
    pixels = xgboost.DMatrix(load_digits().data)
    margins = [model.predict(pixels, output_margin=True) for model in (one, two)]
    np.testing.assert_allclose(*margins, atol=1e-5)


def test_a_digest_tells_trees_apart(by_ray) -> None:
    other = here(BASELINE, rounds=ROUNDS, workers=1, seed=SEED + 1)
    assert other["trees"] != by_ray.figures["trees"]


def test_every_row_is_with_one_worker(monkeypatch) -> None:
    script, given = runpy.run_path(str(ROOT / RAY)), []
    monkeypatch.setattr(xgboost, "train", lambda params, data, rounds, **more: given.append(data))
    for rank in range(2):
        context = SimpleNamespace(get_world_rank=lambda rank=rank: rank)
        monkeypatch.setattr(ray.train, "get_context", lambda context=context: context)
        script["train"](dict(rounds=1, workers=2, gpu=False, seed=42))
    labels = np.concatenate([data.get_label() for data in given])
    _, _, expected, _ = script["digits"](42)
    assert abs(given[0].num_row() - given[1].num_row()) <= 1
    assert sorted(labels) == sorted(expected)


def test_the_old_form_raises() -> None:
    with pytest.raises(DeprecationWarning, match="legacy"):
        XGBoostTrainer(lambda: None, params={}, label_column="y")


def test_more_workers_than_cpus_is_said_not_waited_for(run) -> None:
    refused = run(RAY, "--workers", "64")
    assert refused.exit_code == 2
    assert "64 workers want more CPUs" in " ".join(refused.stderr.replace("│", " ").split())
