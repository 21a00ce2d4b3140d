"""Copies are copies, with a rate of their own, and the best of them beats every fixed rate."""

import itertools
import math
import re
import runpy
from collections.abc import Iterator

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from support import as_attendee, refusal, size_flag, twins
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_tune/03_pbt_{kind}.py" for kind in ("baseline", "ray"))
FACTORS = (0.3, 1.5)
GENERATIONS, MEMBERS = 4, size_flag(RAY)[1]


@pytest.fixture
def fixed() -> list[list[dict]]:
    return as_attendee(BASELINE).figures["stories"]


@pytest.fixture
def population() -> list[list[dict]]:
    return as_attendee(RAY).figures["stories"]


def told(stories: list[list[dict]], generation: int) -> dict[int, list[dict]]:
    """The story of each member after the generation."""
    return {story[-1]["member"]: story for story in stories if len(story) == generation}


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.thorough
def test_both_have_the_same_budget(fixed, population) -> None:
    for stories in (fixed, population):
        assert len(stories) == MEMBERS * GENERATIONS
        for generation in range(1, GENERATIONS + 1):
            assert set(told(stories, generation)) == set(range(MEMBERS))
    assert as_attendee(BASELINE).figures["items"] == as_attendee(RAY).figures["items"]


@pytest.mark.thorough
def test_until_the_first_copy_both_are_the_same(fixed, population) -> None:
    assert told(population, 1) == told(fixed, 1), "not the same to the last bit"


@pytest.mark.thorough
def test_a_fixed_rate_stays(fixed) -> None:
    for story in fixed:
        assert len({(row["member"], row["rate"]) for row in story}) == 1


def test_the_worse_half_becomes_copies_of_the_better_half(population) -> None:
    """Copies with the same rate have the same loss, so which of them is the better is open."""
    count = MEMBERS // 2  # who is in the middle goes on
    for generation in range(1, GENERATIONS):
        before, after = told(population, generation), told(population, generation + 1)
        losses = {member: story[-1]["loss"] for member, story in before.items()}
        ranked = sorted(losses.values())
        parents = {member: story[-2]["member"] for member, story in after.items()}
        for member, parent in parents.items():
            assert after[member][:-1] == before[parent], "its past is not its parent's"
            if member != parent:
                assert losses[parent] <= ranked[count - 1], "copied from one that is not better"
                assert losses[member] >= ranked[-count], "a good one was given up"
        assert sum(member != parent for member, parent in parents.items()) == count


def test_the_rate_of_a_copy_is_its_parents_times_a_factor(population) -> None:
    changed = 0
    for story in told(population, GENERATIONS).values():
        for before, after in itertools.pairwise(story):
            factor, copied = after["rate"] / before["rate"], after["member"] != before["member"]
            allowed = FACTORS if copied else (1,)
            assert any(math.isclose(factor, one) for one in allowed)
            changed += copied
    assert changed


def test_a_copy_has_the_weights_and_the_momentum_of_its_parent(population, one_thread) -> None:
    """Trained again by hand in one go, with its rates, a network comes to the same losses."""
    lesson = runpy.run_path(str(ROOT / BASELINE))
    found, order = load_digits(), torch.randperm(1797, generator=torch.Generator().manual_seed(0))
    pixels = torch.tensor(found.images).float()[order] / 16
    labels, train = torch.tensor(found.target)[order], lesson["TRAIN"]
    stories = told(population, GENERATIONS).values()
    story = max(stories, key=lambda story: len({row["rate"] for row in story}))
    assert len({row["rate"] for row in story}) > 1
    torch.manual_seed(42)
    hidden, last = torch.nn.Linear(64, 64), torch.nn.Linear(64, 10)
    model = torch.nn.Sequential(torch.nn.Flatten(), hidden, torch.nn.ReLU(), last)
    optimizer = torch.optim.SGD(model.parameters(), 1, momentum=0.9)
    for generation, row in enumerate(story):
        optimizer.param_groups[0]["lr"] = row["rate"]
        torch.manual_seed(generation)
        for rows in [r for _ in range(lesson["EPOCHS"]) for r in torch.randperm(train).split(8)]:
            noisy = pixels[rows] + 0.4 * torch.randn(len(rows), 8, 8)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(noisy), labels[rows]).backward()
            optimizer.step()
        with torch.inference_mode():
            loss = torch.nn.functional.cross_entropy(model(pixels[train:]), labels[train:])
        assert loss.item() == row["loss"]


@pytest.mark.thorough
def test_the_population_beats_the_best_fixed_rate() -> None:
    """As an attendee sees it; for other seeds see benchmarks/tune_pbt.py."""
    runs = [as_attendee(script).run.stdout for script in (BASELINE, RAY)]
    best, found = (float(re.search(r"^best: loss ([\d.]+),", run, re.MULTILINE)[1]) for run in runs)
    assert found < best


@pytest.mark.parametrize("script", twins(BASELINE, RAY))
def test_the_picture_shows_the_story_of_the_best_in_red(script) -> None:
    as_attendee(script)
    kind = script.rpartition("_")[2].removesuffix(".py")
    with Image.open(ROOT / f"out/ray_tune/03_pbt/{kind}.png") as picture:
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 24)}
    assert (214, 39, 40) in colors and (169, 169, 169) in colors


@pytest.mark.parametrize("script", [BASELINE, RAY])
def test_a_population_too_small_to_learn_from_each_other_is_refused(script) -> None:
    assert "--members starts at 4" in refusal(script, "--members", "3")
