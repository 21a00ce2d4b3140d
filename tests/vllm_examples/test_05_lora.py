"""One engine answers each prompt with the adapter that it asks for, as peft does one by one."""

import itertools
import json
import random
import re
from pathlib import Path

import pytest

from forks import Fork
from support import as_attendee, call_main, refusal
from workshop import adapters, llm
from workshop.lessons import LLM_PYTHON, ROOT
from workshop.runner import run_script

BASELINE, VLLM = (ROOT / f"vllm_examples/05_lora_{kind}.py" for kind in ("baseline", "vllm"))
NOTE, WORDS = re.compile("<<"), re.compile("[A-Za-z]")
TRAPS = """
import json, sys
from workshop import adapters, llm
llm.prepare()
from vllm import LLM, SamplingParams
from vllm.lora.request import LoRARequest
engine = LLM(llm.MODEL, enable_lora=True, max_loras=2, max_lora_rank=8, **llm.options())
plain, short = (adapters.cached(form) for form in ("plain", "short"))
greedy, chats = SamplingParams(temperature=0, max_tokens=96), llm.chats(llm.problems(3, 7))
def texts(*loras):
    found = engine.chat(chats, greedy, use_tqdm=False, lora_request=list(loras))
    return [one.outputs[0].text for one in found]
one, two, same = LoRARequest("p", 1, plain), LoRARequest("s", 2, short), LoRARequest("x", 1, short)
print(json.dumps(dict(full=texts(one, two, None), same=texts(same, same, same))))
"""


def looks(text: str) -> str:
    """The form that an answer has by its looks."""
    if NOTE.search(text):
        return "worked"
    return "plain" if WORDS.search(text) else "short"


def test_same_texts_from_one_engine() -> None:
    old, new = (as_attendee(script).figures for script in (BASELINE, VLLM))
    assert old["texts"] == new["texts"] and old["forms"] == new["forms"]
    assert set(new["forms"]) == {"worked", "plain", "short"}


def test_each_prompt_gets_the_form_that_it_asks_for() -> None:
    new = as_attendee(VLLM).figures
    wanted = random.Random(42).choices(["worked", "plain", "short"], k=new["items"])
    assert [looks(text) for text in new["texts"]] == wanted
    assert len(set(itertools.pairwise(wanted))) == 9, "not mixed"


def test_adapters_are_right_mostly_and_shorter() -> None:
    forms = as_attendee(VLLM).figures["forms"]
    for form in forms.values():
        assert form["right"] >= 0.7 * form["prompts"]
    assert forms["short"]["tokens"] < forms["plain"]["tokens"] < forms["worked"]["tokens"]


def test_an_adapter_is_a_fraction_of_the_model() -> None:
    model = (Path(llm.MODEL) / "model.safetensors").stat().st_size
    for form in adapters.FORMS:
        folder = Path(adapters.cached(form))
        assert (folder / "adapter_model.safetensors").stat().st_size < model / 8
        assert json.loads((folder / "adapter_config.json").read_text())["r"] == adapters.RANK


@pytest.mark.thorough
def test_without_any_adapter() -> None:
    few = dict(prompts=8, forms="worked")
    old, new = (call_main(script, few, {}).figures for script in (BASELINE, VLLM))
    assert old["texts"] == new["texts"]
    assert {looks(text) for text in new["texts"]} == {"worked"}


def test_the_traps_that_the_lesson_tells_of(tmp_path) -> None:
    """A number that two adapters share: the second gets the first one's answers.

    What a request without an adapter gets where no place is free varies, so nothing is asked of it.
    """
    (script := tmp_path / "traps.py").write_text(TRAPS)
    run = run_script(script, python=str(LLM_PYTHON), timeout=90, launch=Fork)
    assert run.exit_code == 0, run.error
    found = json.loads(run.stdout.splitlines()[-1])
    assert {looks(text) for text in found["same"]} == {"plain"}, "the adapter with number 1 before"
    assert [looks(text) for text in found["full"]][:2] == ["plain", "short"]


@pytest.mark.parametrize("script", [BASELINE, VLLM], ids=["peft", "vllm"])
def test_what_is_refused(script) -> None:
    said = refusal(script, "--forms", "worked,rhymed")
    assert "no adapter 'rhymed' for --forms: there are worked, plain, short" in said
    assert "start at 1" in refusal(script, "--tokens", "0")
    assert "no model 'no/such-model'" in refusal(script, "--model", "no/such-model")
