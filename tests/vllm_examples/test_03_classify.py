"""vLLM labels as transformers does; the labels are mostly right, and each of the three occurs."""

from collections import Counter

import pytest

from support import as_attendee, call_main, refusal
from workshop import classifier, llm
from workshop.lessons import ROOT

BASELINE, VLLM = (ROOT / f"vllm_examples/03_classify_{kind}.py" for kind in ("baseline", "vllm"))
TEXTS = 1000  # the default


def test_labels_are_equal_and_probabilities_nearly() -> None:
    old, new = (as_attendee(script).figures for script in (BASELINE, VLLM))
    assert old["labels"] == new["labels"] and len(new["labels"]) == TEXTS
    for before, after in zip(old["probabilities"], new["probabilities"], strict=True):
        assert len(after) == 3 and sum(after) == pytest.approx(1, abs=1e-3)
        assert after == pytest.approx(before, abs=1e-3)


def test_most_are_right_and_every_label_is_found() -> None:
    new = as_attendee(VLLM).figures
    problems = llm.problems(TEXTS, seed=42)
    wanted = [classifier.label(one) for one in problems]
    right = sum(a == b for a, b in zip(new["labels"], wanted, strict=True))
    assert right == new["right"] >= 0.95 * TEXTS
    assert min(Counter(new["labels"]).values()) > 0.2 * TEXTS
    learned = {one.question for one in classifier.to_learn()}
    assert sum(one.question in learned for one in problems) < 3, "it is asked what it has learned"


def test_batches_change_no_label() -> None:
    alone = as_attendee(BASELINE).figures
    batches = call_main(BASELINE, dict(batch=16), {}).figures
    assert batches["answer"] == alone["answer"]


@pytest.mark.measures
def test_all_at_once_is_quicker() -> None:
    one_by_one, vllm = as_attendee(BASELINE).run, as_attendee(VLLM).run
    assert one_by_one.ok and vllm.ok, one_by_one.error + vllm.error
    assert vllm.seconds < one_by_one.seconds


def test_what_is_refused() -> None:
    assert "start at 1" in refusal(BASELINE, "--batch", "0")
    for script in (BASELINE, VLLM):
        assert "no model 'no/such-model'" in refusal(script, "--model", "no/such-model")
