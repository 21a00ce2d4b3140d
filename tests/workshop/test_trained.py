"""What vllm_examples trains on first use: the cache, the classifier, the adapters."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from workshop import adapters, cache, classifier, llm


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(cache.platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    return tmp_path / "ray-workshop"


def test_trained_once(empty_cache, capsys) -> None:
    calls = []

    def train(folder) -> None:
        calls.append(folder)
        (folder / "weights").write_text("1")

    first, second = cache.trained("some", train), cache.trained("some", train)
    assert first == second == empty_cache / "some" and len(calls) == 1
    assert [file.name for file in empty_cache.rglob("*")] == ["some", "weights"]
    assert capsys.readouterr().out.count("training once") == 1


def test_a_training_that_fails_leaves_nothing(empty_cache) -> None:
    def train(folder) -> None:
        (folder / "half").write_text("1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.trained("some", train)
    assert list(empty_cache.iterdir()) == []


def test_another_process_may_be_quicker(empty_cache) -> None:
    def train(folder) -> None:
        (empty_cache / "some").mkdir()
        (empty_cache / "some" / "theirs").write_text("1")

    assert [file.name for file in cache.trained("some", train).iterdir()] == ["theirs"]
    assert [file.name for file in empty_cache.iterdir()] == ["some"]


def test_a_fingerprint_is_of_the_weights(tmp_path) -> None:
    found = set()
    for content in (b"1", b"2"):
        (tmp_path / "model.safetensors").write_bytes(content)
        found.add(cache.fingerprint(str(tmp_path)))
    assert len(found | {cache.fingerprint("one/name"), cache.fingerprint("another/name")}) == 4


def test_the_classifier(empty_cache) -> None:
    state = torch.get_rng_state()
    folder = classifier.cached()
    assert torch.equal(torch.get_rng_state(), state), "the caller's random state was touched"
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert tuple(network.config.id2label.values()) == classifier.LABELS
    problems = llm.problems(150, seed=3)
    asked = AutoTokenizer.from_pretrained(folder)(
        [one.question for one in problems], padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        found = network(**asked).logits.argmax(1).tolist()
    labels = [classifier.LABELS[k] for k in found]
    assert sum(a == classifier.label(b) for a, b in zip(labels, problems, strict=True)) > 135


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ("plain", "Mia has 4*6=24 pens.\nThen Mia has 24-9=15 pens left.\n#### 15"),
        ("short", "4*6=24\n24-9=15\n#### 15"),
    ],
)
def test_an_adapter(form, answer, empty_cache, monkeypatch) -> None:
    worked = "Mia has 4*6=<<4*6=24>>24 pens.\nThen Mia has 24-9=<<24-9=15>>15 pens left.\n#### 15"
    assert adapters.FORMS[form](llm.Problem("..?", worked, 15, 2)) == answer
    monkeypatch.setitem(adapters.STEPS, form, 2)
    state = torch.get_rng_state()
    folder = adapters.cached(form)
    assert torch.equal(torch.get_rng_state(), state), "the caller's random state was touched"
    config = Path(folder, "adapter_config.json").read_text()
    assert json.loads(config)["r"] == adapters.RANK
    base = AutoModelForCausalLM.from_pretrained(llm.MODEL)
    tuned = PeftModel.from_pretrained(base, folder).eval()
    ids = torch.arange(20)[None]
    with torch.inference_mode(), tuned.disable_adapter():
        before = tuned(ids).logits
    with torch.inference_mode():
        assert not torch.equal(tuned(ids).logits, before), "it has learned nothing"
