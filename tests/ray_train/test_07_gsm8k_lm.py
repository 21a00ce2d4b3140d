"""One process and two under Ray: the same batches in the same order, the same losses."""

import pytest
import torch

from support import Call, as_attendee, here, refusal

BASELINE, RAY = (f"ray_train/07_gsm8k_lm_{twin}.py" for twin in ("baseline", "ray"))
STEPS = 40  # the default: the first 16 are of one group of batches, the others of the next


@pytest.fixture(scope="module")
def twins() -> tuple[Call, Call]:
    return as_attendee(BASELINE), as_attendee(RAY)


@pytest.mark.thorough
def test_every_step_has_the_same_loss_to_the_last_bit(twins) -> None:
    one, two = (twin.figures["losses"] for twin in twins)
    assert len(one) == STEPS and one == two
    assert one[-1] < 0.8 * one[0], "it does not learn"


@pytest.mark.thorough
def test_the_same_exam(twins) -> None:
    one, two = (twin.figures for twin in twins)
    assert one["accuracy"] == two["accuracy"]
    assert one["answer"] == two["answer"]
    assert float(one["answer"]) < 0.8 * one["losses"][0], "the exam's loss has not fallen"


@pytest.mark.thorough
def test_one_worker_is_one_process_with_whole_batches(call) -> None:
    given = dict(steps=2, workers=1, seed=3)
    one, two = here(BASELINE, **given), call(RAY, **given).figures
    assert one["losses"] == two["losses"] and one["answer"] == two["answer"]


def test_a_batch_must_come_out_even() -> None:
    assert "--workers" in refusal(RAY, "--workers", "3")


def test_more_workers_than_cpus_is_said_not_waited_for(run) -> None:
    refused = run(RAY, "--workers", "32")
    assert refused.exit_code == 2
    assert "32 workers want more CPUs" in " ".join(refused.stderr.replace("│", " ").split())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_said_not_waited_for() -> None:
    assert "--gpu" in refusal(RAY, "--gpu")
