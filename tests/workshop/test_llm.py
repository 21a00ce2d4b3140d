"""Settings, problems and answers that the scripts of vllm_examples share."""

import os

import pytest
import typer

from workshop import llm
from workshop.offline_data import held_out


@pytest.fixture
def on_a_cpu(monkeypatch):
    monkeypatch.setattr(llm, "has_gpu", lambda: False)
    monkeypatch.setattr(llm, "has_vllm", lambda: True)
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": "3"})


@pytest.mark.usefixtures("on_a_cpu")
def test_what_is_set_already_wins() -> None:
    assert llm.prepare()["OMP_NUM_THREADS"] == "3"
    assert llm.threads() == 3
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert os.environ["HF_HUB_OFFLINE"] == "1", "a model in a folder needs no network"


@pytest.mark.usefixtures("on_a_cpu")
def test_a_gpu_gets_vllms_own_defaults(monkeypatch) -> None:
    assert llm.options()["dtype"] == "float32"
    monkeypatch.setattr(llm, "has_gpu", lambda: True)
    assert "dtype" not in llm.options() and llm.device() == "cuda"
    assert not set(llm.ON_A_CPU) & set(llm.environment())


@pytest.mark.parametrize("model", ["./nowhere", "/no/such/folder", "no-such/model-anywhere"])
def test_no_such_model(model, monkeypatch) -> None:
    monkeypatch.setattr(llm, "has_vllm", lambda: True)
    monkeypatch.setattr(os, "environ", dict(os.environ) | {"HF_ENDPOINT": "http://127.0.0.1:9"})
    with pytest.raises(typer.BadParameter, match=f"no model '{model}'"):
        llm.prepare(model)


def test_the_other_environment_is_named(monkeypatch) -> None:
    monkeypatch.setattr(llm, "has_vllm", lambda: False)
    with pytest.raises(typer.BadParameter, match=r"source \.venv-vllm/bin/activate"):
        llm.prepare()


def test_problems_are_seeded_and_not_in_the_exam() -> None:
    some = llm.problems(300, seed=1)
    assert some == llm.problems(400, seed=1)[:300]
    assert [one.steps for one in some[:4]] == [1, 2, 3, 1]
    exam = {one.question for one in held_out()}
    assert sum(one.question in exam for one in some) < 3, "they are drawn from the same kinds"
    assert not set(some) & set(llm.problems(300, seed=2))


@pytest.mark.parametrize(
    ("text", "number"),
    [("3+4=<<3+4=7>>7 pens.\n#### 7", 7), ("#### -12", -12), ("####5", 5), ("seven", None)],
)
def test_number(text, number) -> None:
    assert llm.number(text) == number


def test_right_and_digest() -> None:
    two = llm.problems(2, seed=3)
    texts = [two[0].answer, "#### 0"]
    assert llm.right(texts, two) == 1
    assert llm.digest(texts) != llm.digest(texts[::-1]) and len(llm.digest(texts)) == 8
