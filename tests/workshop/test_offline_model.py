"""The offline model: what it learns from, that it is seeded, and the copy in the repository."""

import hashlib
import json
import random
import subprocess
import sys
from statistics import mean

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from support import refusal
from workshop import offline_model
from workshop.lessons import ROOT
from workshop.offline_data import BATCH, GROUP, batch_of, encoded, group, held_out, to_learn

TRAINED = ROOT / "workshop" / "model"


@pytest.fixture(scope="module")
def tokenizer():
    return offline_model.new_tokenizer()


@pytest.fixture(scope="module")
def words(tokenizer):
    return tokenizer.backend_tokenizer


def test_the_exam_is_not_learned() -> None:
    exam = {one.question for one in held_out()}
    assert len(exam) == 500
    assert [one.steps for one in held_out()[:6]] == [1, 2, 3, 1, 2, 3]
    rng = random.Random(0)
    for _, one in zip(range(5000), to_learn(rng), strict=False):
        assert one.question not in exam


def test_what_would_be_drawn_from_the_exam_is_left_out(monkeypatch) -> None:
    drawn = iter([held_out()[0], other := next(to_learn(random.Random(1)))])
    monkeypatch.setattr("workshop.offline_data.problem", lambda rng: next(drawn))
    assert next(to_learn(random.Random(0))) == other


def test_parts_of_a_batch_are_about_equally_long(words) -> None:
    parts = [group(words, 1, 2, part, 2) for part in range(2)]
    assert [len(part) for part in parts] == [GROUP, GROUP]
    lengths = [[max(map(len, batch["ids"])) for batch in part] for part in parts]
    assert all(len(batch["ids"]) == BATCH // 2 for part in parts for batch in part)
    assert mean(abs(a - b) for a, b in zip(*lengths, strict=True)) < 5
    assert max(lengths[0]) - min(lengths[0]) > 50
    assert parts[0] == group(words, 1, 2, 0, 2) != parts[1]
    assert parts[0] != group(words, 2, 2, 0, 2) != group(words, 2, 3, 0, 2)


def test_a_chat_is_what_was_learned(tokenizer, words) -> None:
    one = held_out()[2]
    ((ids, start),) = encoded(words, [one])
    chat = [dict(role="user", content=one.question), dict(role="assistant", content=one.answer)]
    asked = tokenizer.apply_chat_template(chat[:1], add_generation_prompt=True, return_dict=True)
    assert ids == tokenizer.apply_chat_template(chat, return_dict=True)["input_ids"]
    assert ids[:start] == asked["input_ids"]
    assert tokenizer.decode(ids[start:]) == one.answer + tokenizer.eos_token
    batch = offline_model.padded(batch_of([(ids, start), (ids[:-5], start)]))
    assert batch["labels"][0].tolist() == [-100] * start + ids[start:]
    assert batch["labels"][1, -5:].tolist() == [-100] * 5


def test_an_exam_leaves_what_is_learned_next_as_it_was(tokenizer, words) -> None:
    before = group(words, 1, 0)
    offline_model.solved(offline_model.new_model(tokenizer, 0), tokenizer, held_out()[:3])
    assert group(words, 1, 0) == before


def test_the_loss_of_a_batch_is_the_average_of_its_halves(tokenizer, words) -> None:
    model = offline_model.new_model(tokenizer, 0)
    rows = encoded(words, held_out()[:8])
    whole, *halves = (
        offline_model.loss_of(model, offline_model.padded(batch_of(part))).item()
        for part in (rows, rows[:4], rows[4:])
    )
    assert sum(halves) / 2 == pytest.approx(whole, rel=1e-5)


def command(*flags: str) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "workshop.offline_model", *flags]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.thorough
def test_the_command_makes_a_checkpoint_with_its_log(tmp_path) -> None:
    done = command("--steps", "2", "--seed", "3", "--output", str(tmp_path / "model"))
    assert done.returncode == 0, done.stderr
    log = json.loads((tmp_path / "model" / "log.json").read_text())
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert log["sha256"] == hashlib.sha256(weights).hexdigest() in done.stdout
    assert (log["steps"], log["seed"], log["held_out"]) == (2, 3, 500)
    assert (tmp_path / "model" / "accuracy.png").stat().st_size > 1000
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "model").state_dict()
    again = offline_model.train(2, 3)[0].state_dict()
    assert all(torch.equal(saved[name], again[name]) for name in again), "not seeded"


@pytest.mark.parametrize("flags", [("--steps", "0"), ("--output", "README.md/model")])
def test_bad_input(flags) -> None:
    assert flags[0] in refusal("workshop/offline_model.py", *flags)


def test_the_copy_in_the_repository_is_small_and_logged() -> None:
    log = json.loads((TRAINED / "log.json").read_text())
    weights = (TRAINED / "model.safetensors").read_bytes()
    assert log["sha256"] == hashlib.sha256(weights).hexdigest()
    assert sum(path.stat().st_size for path in TRAINED.iterdir()) <= 4_000_000
    assert log["held_out"] == 500 and log["accuracy"] >= 0.85
    assert log["cpu_seconds"] <= 480


def test_the_copy_in_the_repository_solves_what_it_never_saw() -> None:
    model = AutoModelForCausalLM.from_pretrained(TRAINED)
    tokenizer = AutoTokenizer.from_pretrained(TRAINED)
    right = offline_model.solved(model, tokenizer, held_out()[:90])
    assert sum(right) >= 0.8 * len(right)
