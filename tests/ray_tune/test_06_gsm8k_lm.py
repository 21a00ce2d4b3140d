"""Every model reads the same tokens, and learns from them what it learns without Tune."""

import runpy

import pytest

from support import as_attendee, refusal, twins
from workshop.lessons import ROOT
from workshop.offline_data import BATCH
from workshop.offline_model import Optimizer, new_model, new_tokenizer

BASELINE, RAY = (f"ray_tune/06_gsm8k_lm_{twin}.py" for twin in ("baseline", "ray"))
scripts = pytest.mark.parametrize("script", [BASELINE, RAY])


@pytest.mark.thorough
def test_every_model_learns_what_it_learns_without_tune() -> None:
    by_hand, by_tune = (as_attendee(script).figures for script in (BASELINE, RAY))
    assert by_tune["losses"] == by_hand["losses"], "not the same to the last bit"
    assert len(set(by_tune["losses"])) == by_tune["items"] == 8
    assert by_tune["answer"] == f"{min(by_tune['losses']):.6f}"


@pytest.mark.parametrize("script", twins(BASELINE, RAY))
def test_they_say_which_is_the_best(script) -> None:
    figures, run = as_attendee(script).figures, as_attendee(script).run
    best = figures["losses"].index(min(figures["losses"]))
    (line,) = (line for line in run.stdout.splitlines() if line.startswith(f"trial {best}: "))
    choice = line.removeprefix(f"trial {best}: ").partition(": loss")[0]
    assert f"best: {choice}, after {figures['tokens']} tokens" in run.stdout
    assert figures["tokens"] <= 40_000


@scripts
def test_the_budget_is_used_up_and_not_overdrawn(script) -> None:
    within, tokenizer = runpy.run_path(str(ROOT / script))["within"], new_tokenizer()

    def read(batches: list[dict]) -> list[int]:
        return [sum(map(len, batch["ids"])) for batch in batches]

    plenty = read(within(30_000, tokenizer, 3))
    assert sum(plenty) <= 30_000 and len(plenty) > 5
    for some in (1, 3, 5):
        budget = sum(plenty[:some])
        assert read(within(budget, tokenizer, 3)) == plenty[:some]
        assert read(within(budget - 1, tokenizer, 3)) == plenty[: max(1, some - 1)]
    assert read(within(30_000, tokenizer, 4)) != plenty
    assert all(len(batch["ids"]) == BATCH for batch in within(3_000, tokenizer, 3))


def test_width_and_rate_reach_the_model() -> None:
    tokenizer = new_tokenizer()
    narrow, usual = (new_model(tokenizer, 0, width) for width in (64, 128))
    assert [one.config.hidden_size for one in (narrow, usual)] == [64, 128]
    sizes = [sum(weights.numel() for weights in model.parameters()) for model in (narrow, usual)]
    assert sizes[1] > 3 * sizes[0]
    rates = [
        [
            group["initial_lr"]
            for part in Optimizer(narrow, 10, rate).optimizers
            for group in part.param_groups
        ]
        for rate in (1.0, 2.0)
    ]
    assert rates[1] == pytest.approx([2 * rate for rate in rates[0]])


def test_no_tokens_is_refused() -> None:
    assert "--tokens starts at 1" in refusal(RAY, "--tokens", "-5")
