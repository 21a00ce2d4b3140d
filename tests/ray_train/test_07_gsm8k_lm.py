"""One process and two under Ray: the same batches in the same order, the same losses."""

import pytest
import torch

from support import SHARED, Call, call_main

BASELINE, RAY = (f"ray_train/07_gsm8k_lm_{twin}.py" for twin in ("baseline", "ray"))
NOWHERE = {"RAY_ADDRESS": "127.0.0.1:1"}


@pytest.fixture(scope="module")
def twins() -> tuple[Call, Call]:
    """18 steps: the first 16 are of one group of batches, the others of the next."""
    arguments = {"steps": 18, "seed": 5}
    return call_main(BASELINE, arguments, SHARED.env()), call_main(RAY, arguments, SHARED.env())


def test_every_step_has_the_same_loss_to_the_last_bit(twins) -> None:
    one, two = (twin.figures["losses"] for twin in twins)
    assert len(one) == 18 and one == two
    assert one[-1] < 0.8 * one[0], "it does not learn"


def test_the_same_exam(twins) -> None:
    one, two = (twin.figures for twin in twins)
    assert one["accuracy"] == two["accuracy"]
    assert one["answer"] == two["answer"]
    assert float(one["answer"]) < 0.8 * one["losses"][0], "the exam's loss has not fallen"


def test_one_worker_is_one_process_with_whole_batches(call) -> None:
    one, two = (call(script, steps=2, workers=1, seed=3).figures for script in (BASELINE, RAY))
    assert one["losses"] == two["losses"] and one["answer"] == two["answer"]


def test_a_batch_must_come_out_even(run) -> None:
    refused = run(RAY, "--workers", "3", env=NOWHERE)
    assert refused.exit_code == 2
    assert "--workers" in refused.stderr and "Traceback" not in refused.stderr


def test_more_workers_than_cpus_is_said_not_waited_for(run) -> None:
    refused = run(RAY, "--workers", "32")
    assert refused.exit_code == 2
    assert "32 workers want more CPUs" in " ".join(refused.stderr.replace("│", " ").split())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_said_not_waited_for(run) -> None:
    refused = run(RAY, "--gpu", env=NOWHERE)
    assert refused.exit_code == 2
    assert "--gpu" in refused.stderr and "Traceback" not in refused.stderr
