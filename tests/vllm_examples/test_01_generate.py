"""vLLM writes what transformers writes, many times as fast; batches lie between."""

import re

import pytest

from support import SHARED, Call, as_attendee, call_main, refusal
from workshop.lessons import ROOT
from workshop.runner import Run

BASELINE, VLLM = (ROOT / f"vllm_examples/01_generate_{kind}.py" for kind in ("baseline", "vllm"))
TIMES = 8  # the goal: how many times as many tokens/s


def speed(run: Run) -> int:
    assert run.ok, run.error
    return int(re.search(r"(\d+) tokens/s", run.stdout)[1])


def in_batches() -> Call:
    return call_main(BASELINE, dict(batch=16), SHARED.env())


def test_same_texts_and_as_many_tokens() -> None:
    transformers, vllm = (as_attendee(script).figures for script in (BASELINE, VLLM))
    same = ("items", "answer", "tokens", "right")
    assert [transformers[key] for key in same] == [vllm[key] for key in same]
    assert vllm["right"] >= 0.85 * vllm["items"], "the model solves what it is asked"
    assert vllm["tokens"] > 20 * vllm["items"], "the answers are worked out, not cut off"


@pytest.mark.measures
def test_vllm_is_many_times_as_fast_and_batches_lie_between() -> None:
    one_by_one, batches, vllm = as_attendee(BASELINE).run, in_batches(), as_attendee(VLLM).run
    assert one_by_one.items == vllm.items == 200
    assert batches.run.answer == one_by_one.answer == vllm.answer, "batches change an answer"
    speeds = [speed(run) for run in (one_by_one, batches.run, vllm)]
    assert speeds == sorted(speeds), speeds
    assert speeds[2] >= TIMES * speeds[0], speeds


@pytest.mark.thorough
def test_fewer_tokens_end_each_answer_early() -> None:
    few = call_main(VLLM, dict(prompts=6, tokens=5), SHARED.env()).figures
    assert few["tokens"] == 6 * 5 and few["right"] == 0


@pytest.mark.parametrize("script", [BASELINE, VLLM], ids=["transformers", "vllm"])
def test_no_such_model(script) -> None:
    said = refusal(script, "--model", "no/such-model")
    assert "no model 'no/such-model': give a folder with a config.json" in said
    assert "--tokens" in refusal(script, "--tokens", "0")


def test_no_such_batch() -> None:
    assert "--batch start at 1" in refusal(BASELINE, "--batch", "0")
