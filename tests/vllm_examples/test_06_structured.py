"""A forced form always parses, costs time, and does not make an answer right."""

import json
import re

import pytest

from support import as_attendee, call_main, refusal
from workshop import llm
from workshop.lessons import ROOT

BASELINE, VLLM = (ROOT / f"vllm_examples/06_structured_{kind}.py" for kind in ("baseline", "vllm"))
WORKED = re.compile(r"([^\n#]{1,80}\n){1,3}#### \d{1,3}")


@pytest.fixture(scope="module", params=[100, pytest.param(200, marks=pytest.mark.thorough)])
def asked(request) -> tuple[int, dict]:
    """How many questions in each form, and what vLLM made of them."""
    count = request.param
    call = as_attendee(VLLM) if count == 100 else call_main(VLLM, dict(prompts=count), {})
    return count, call.figures


def test_transformers_by_hand_writes_the_same_texts() -> None:
    old, new = (as_attendee(script).figures for script in (BASELINE, VLLM))
    assert old["texts"] == new["texts"]
    for form in ("free", "worked", "bare", "JSON"):
        for key in ("parsed", "right", "tokens"):
            assert old["forms"][form][key] == new["forms"][form][key], (form, key)


def test_every_forced_answer_parses(asked) -> None:
    count, figures = asked
    texts = figures["texts"]
    assert [len(texts[form]) for form in texts] == [count] * 4
    assert all(WORKED.fullmatch(text) for text in texts["worked"])
    assert all(re.fullmatch(r"#### \d{1,3}", text) for text in texts["bare"])
    for text in texts["JSON"]:
        found = json.loads(text)
        assert set(found) == {"work", "answer"} and len(found["work"]) <= 60
        assert type(found["answer"]) is int and 0 <= found["answer"] <= 999
    for form in ("worked", "bare", "JSON"):
        assert figures["forms"][form]["parsed"] == count


def test_nothing_of_it_is_had_freely(asked) -> None:
    free = asked[1]["texts"]["free"]
    assert not [text for text in free if text.startswith("{")]
    assert not [text for text in free if re.fullmatch(r"#### \d+", text)]


def test_a_form_is_not_the_truth(asked) -> None:
    """The form that it has learned costs nothing; those that it has not leave nothing right."""
    count, figures = asked
    forms, texts = figures["forms"], figures["texts"]
    assert forms["free"]["right"] >= 0.9 * count
    numbers = [llm.number(text) for text in texts["worked"]]
    problems = llm.problems(count, seed=42)
    right = sum(a == b.number for a, b in zip(numbers, problems, strict=True))
    assert forms["worked"]["right"] == right >= forms["free"]["right"] - 2
    assert forms["bare"]["right"] < 0.1 * count
    assert forms["JSON"]["right"] < 0.1 * count


@pytest.mark.thorough
def test_too_few_tokens_break_a_forced_form() -> None:
    few = call_main(VLLM, dict(prompts=6, tokens=8), {}).figures
    assert [few["forms"][form]["parsed"] for form in ("worked", "bare", "JSON")] == [0, 6, 0]


@pytest.mark.measures
def test_a_form_costs_time_and_least_in_vllm() -> None:
    old, new = as_attendee(BASELINE).run, as_attendee(VLLM).run
    assert old.ok and new.ok, old.error + new.error
    for run in (old, new):
        free, worked = (
            int(re.search(rf"^{form}: .* (\d+) tokens/s", run.stdout, re.MULTILINE)[1])
            for form in ("free", "worked")
        )
        assert worked < free
    assert new.seconds < old.seconds


@pytest.mark.parametrize("script", [BASELINE, VLLM], ids=["transformers", "vllm"])
def test_what_is_refused(script) -> None:
    assert "start at 1" in refusal(script, "--tokens", "0")
    assert "no model 'no/such-model'" in refusal(script, "--model", "no/such-model")
