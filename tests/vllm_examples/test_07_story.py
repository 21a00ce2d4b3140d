"""A model's whole life: it learns, passes its exam, goes live; a spoilt copy comes and goes."""

import json
import random
import re
import runpy
import subprocess
from pathlib import Path

import pytest
from pyarrow import parquet

from support import SHARED, Call, call_main, flags_of, free_port, refusal, twins
from workshop import llm, story
from workshop.lessons import ROOT, code_lines
from workshop.load import Answer, Load
from workshop.offline_data import encoded
from workshop.problems import comparison, problem
from workshop.runner import own_lines

BASELINE, RAY = (ROOT / f"vllm_examples/story/07_story_{kind}.py" for kind in ("baseline", "ray"))
FOLDER = ROOT / "out/vllm_examples/07_story"
KINDS = [BASELINE, RAY]
AS_TYPED = dict(launch=subprocess.Popen)  # the seconds of a step contain its imports
pytestmark = pytest.mark.timeout(900)  # two long runs, which all tests here share
each = pytest.mark.parametrize("twin", twins("by_hand", "on_ray"))


@pytest.fixture(scope="module")
def by_hand() -> Call:
    return call_main(BASELINE, dict(port=free_port()), {}, timeout=400, **AS_TYPED)


@pytest.fixture(scope="module")
def on_ray() -> Call:
    return call_main(RAY, dict(port=free_port()), SHARED.env(), timeout=800, **AS_TYPED)


@pytest.mark.measures  # CPU-seconds; and what waits for this engine spins and starves the rest
def test_it_learns_the_new_kind_and_keeps_the_old_ones(on_ray) -> None:
    base, tuned = (on_ray.figures["scores"][name] for name in ("base", "tuned"))
    assert tuned["new"] >= base["new"] + 60
    assert tuned["old"] >= base["old"] - 3
    assert on_ray.figures["best"] == "tuned"


def test_it_takes_less_than_three_cpu_minutes(on_ray) -> None:
    assert 1 < on_ray.figures["cpu_seconds"] < 180


@pytest.mark.thorough
def test_the_twins_agree_to_the_last_bit(on_ray, by_hand) -> None:
    """Two workers' gradients are averaged as two halves of a batch are, in one process."""
    assert on_ray.figures["losses"] == by_hand.figures["losses"]
    assert on_ray.figures["answer"] == by_hand.figures["answer"]
    assert on_ray.figures["items"] == by_hand.figures["items"]
    assert on_ray.run.answer == on_ray.figures["answer"], "printed and returned differ"
    baseline, ray = ((FOLDER / kind / "tuned/model.safetensors") for kind in ("baseline", "ray"))
    assert baseline.read_bytes() == ray.read_bytes()


def test_on_ray_the_roll_out_and_the_way_back_lose_no_request(on_ray) -> None:
    assert on_ray.figures["failed"] == 0
    assert on_ray.figures["asked"] > 50, "there was no load to speak of"


@pytest.mark.thorough
def test_by_hand_requests_fail(by_hand) -> None:
    assert by_hand.figures["failed"] > 0


@each
def test_the_spoilt_copy_is_found_out_by_its_answers(twin, request) -> None:
    figures = request.getfixturevalue(twin).figures
    live, spoilt, again = figures["right"]
    assert spoilt < live / 2
    assert live == again, "the good one is not back"
    assert figures["wrong"] > 0, "nobody met the spoilt copy"


def test_the_tuned_model_is_a_checkpoint_like_any_other(on_ray) -> None:
    tuned = FOLDER / "ray" / "tuned"
    there = {path.name for path in tuned.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= there
    base = Path(llm.MODEL)
    assert (tuned / "chat_template.jinja").read_text() == (base / "chat_template.jinja").read_text()
    ends = [json.loads((f / "generation_config.json").read_text()) for f in (tuned, base)]
    assert ends[0]["eos_token_id"] == ends[1]["eos_token_id"]


@each
def test_each_step_is_told_with_its_seconds(twin, request) -> None:
    call = request.getfixturevalue(twin)
    for name, seconds in call.figures["steps"].items():
        told = rf"^{re.escape(name)} \.\.\. [\s\S]*?\b{seconds:.1f} s"  # Ray may say something amid
        assert re.search(told, call.run.stdout, re.MULTILINE)
    assert max(map(len, own_lines(call.run.stdout))) <= 100, "wider than 100 columns"
    assert call.figures["seconds"] == pytest.approx(sum(call.figures["steps"].values()))


@pytest.mark.parametrize("gpu", [True, False])
def test_what_ray_serve_llm_is_told_suits_it(gpu, monkeypatch) -> None:
    """It chooses vLLM's executor itself, and on a GPU refuses every other."""
    import ray.serve.llm  # seconds
    from ray.llm._internal.serve.engines.vllm.vllm_models import VLLMEngineConfig

    monkeypatch.setattr(llm, "has_gpu", lambda: gpu)
    monkeypatch.setattr(ray.serve.llm, "build_openai_app", lambda given: given)
    (config,) = runpy.run_path(str(RAY))["service"](llm.MODEL)["llm_configs"]
    engine = VLLMEngineConfig.from_llm_config(config).get_initialization_kwargs()
    assert engine["distributed_executor_backend"] == ("ray" if gpu else "mp")
    assert engine["model"] == llm.MODEL


def test_problems_of_the_exam_are_not_learned(tmp_path) -> None:
    exam = story.exam(100, 5)
    story.write_texts(tmp_path / "texts", 64, exam, 5)
    rows = parquet.read_table(tmp_path / "texts").to_pylist()
    known = {one.question for one in exam}
    assert len(rows) == 64 + 10 and sum(row["question"] in known for row in rows) == 10
    halves = runpy.run_path(str(BASELINE))["prepared"](tmp_path / "texts", exam, llm.MODEL)
    assert [len(half["ids"]) for half in halves] == [16] * 4
    words = story.tokenizer(llm.MODEL)
    read = {words.decode(ids[:start]) for half in halves for ids, start in pairs(half)}
    assert len(read) > 60 and not read & {f"<|user|>{question}<|assistant|>" for question in known}


def pairs(half: dict) -> list[tuple[list[int], int]]:
    return list(zip(half["ids"], half["start"], strict=True))


def test_text_becomes_the_tokens_that_the_model_was_trained_on() -> None:
    one = problem(random.Random(3))
    made = story.tokenise(dict(question=[one.question], answer=[one.answer]), llm.MODEL)
    assert pairs(made) == encoded(story.tokenizer(llm.MODEL).backend_tokenizer, [one])


def test_half_of_the_exam_is_of_the_new_kind() -> None:
    exam = story.exam(40, 42)
    assert [story.is_new(one) for one in exam] == [k % 2 == 1 for k in range(40)]
    assert len({one.question for one in exam}) == 40


def test_a_comparison_is_worked_out_correctly() -> None:
    for k in range(300):
        one = comparison(random.Random(k))
        numbers = [int(n) for n in re.findall(r"\d+", one.question)]
        more = " more " in one.question
        second = numbers[0] + (numbers[1] if more else -numbers[1])
        assert second >= 1 and one.number == numbers[0] + second <= 100
        assert one.answer.endswith(f"#### {one.number}")
        for sum_, result in re.findall(r"<<([\d+-]+)=(\d+)>>", one.answer):
            a, sign, b = re.fullmatch(r"(\d+)([+-])(\d+)", sum_).groups()
            assert int(a) + int(sign + b) == int(result)


def test_wrong_answers_are_counted_by_their_problem() -> None:
    problems = story.exam(2, 1)
    texts = [problems[0].answer, problems[1].answer, "#### 0", problems[0].answer]
    answers = [
        Answer(200, dict(choices=[dict(message=dict(content=text))]), 0, 0) for text in texts
    ]
    assert story.wrong(Load([*answers, Answer(0, "gone", 0, 0)], 1), problems) == 2


def test_shape() -> None:
    """The story is outside the contract of the numbered lessons, but not outside its spirit."""
    before = set(code_lines(BASELINE))
    assert flags_of(BASELINE) == flags_of(RAY)
    assert not [line for line in before if "# NEW:" in line]
    marked = [line for line in code_lines(RAY) if "# NEW:" in line]
    assert len(marked) > 30 and not [line for line in marked if line in before]
    for script in KINDS:
        text = script.read_text()
        assert len(text.splitlines()) <= 200
        assert f"python {script.relative_to(ROOT)}" in text
        assert re.search(r"Last line: \d+ answers in [\d.]+ s .*, answer [0-9a-f]{8}$", text, re.M)


@pytest.mark.parametrize("script", KINDS, ids=lambda path: path.stem)
def test_bad_flags(script) -> None:
    for flag in ("--steps", "--requests", "--clients"):
        assert "start at 1" in refusal(script, flag, "0")
    assert "--problems" in refusal(script, "--problems", "9")
    assert "cannot be had" in refusal(script, "--port", "99999")
    assert "no model 'nowhere/at-all'" in refusal(
        script, "--port", str(free_port()), "--model", "nowhere/at-all"
    )
