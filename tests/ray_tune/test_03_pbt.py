"""Copies are copies, rates are halved or doubled, and the best of them beats every fixed rate."""

import math

import pytest
from PIL import Image

from support import SHARED, call_main
from workshop.lessons import ROOT

BASELINE, RAY = (ROOT / f"ray_tune/03_pbt_{kind}.py" for kind in ("baseline", "ray"))
MEMBERS, EPOCHS, INTERVAL = 8, 24, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pbt")


@pytest.fixture(scope="module")
def fixed(folder) -> dict:
    return call_main(BASELINE, dict(members=MEMBERS), {}, cwd=folder).figures


@pytest.fixture(scope="module")
def population(folder) -> dict:
    return call_main(RAY, dict(members=MEMBERS), SHARED.env(), cwd=folder).figures


def copies(histories: list[list[dict]]) -> list[tuple[int, int, int]]:
    """(member, epoch, parent) of each copy."""
    return [
        (member, epoch, row["parent"])
        for member, history in enumerate(histories)
        for epoch, row in enumerate(history)
        if row["parent"] != member
    ]


def test_the_same_budget(fixed, population) -> None:
    for figures in (fixed, population):
        assert [len(history) for history in figures["histories"]] == [EPOCHS] * MEMBERS
        assert figures["items"] == MEMBERS * EPOCHS


def test_until_the_first_copy_both_are_the_same(fixed, population) -> None:
    begin = [history[:INTERVAL] for history in fixed["histories"]]
    assert [history[:INTERVAL] for history in population["histories"]] == begin


def test_a_fixed_rate_stays(fixed) -> None:
    assert not copies(fixed["histories"])
    for history in fixed["histories"]:
        assert len({row["rate"] for row in history}) == 1


def test_the_two_worst_are_replaced_by_children_of_the_two_best(population) -> None:
    histories = population["histories"]
    found = copies(histories)
    for epoch in range(INTERVAL, EPOCHS, INTERVAL):
        ranked = sorted(range(MEMBERS), key=lambda m: histories[m][epoch - 1]["loss"])
        now = {member: parent for member, when, parent in found if when == epoch}
        assert set(now) == set(ranked[-2:]) and set(now.values()) <= set(ranked[:2])
    assert len(found) == 2 * (EPOCHS // INTERVAL - 1)


def test_a_child_has_half_or_twice_its_parents_rate(population) -> None:
    histories = population["histories"]
    for member, history in enumerate(histories):
        for epoch in range(1, EPOCHS):
            parent = history[epoch]["parent"]
            factor = history[epoch]["rate"] / histories[parent][epoch - 1]["rate"]
            allowed = (1,) if parent == member else (0.5, 2)
            assert any(math.isclose(factor, one) for one in allowed)


def test_a_child_begins_with_its_parents_weights(population) -> None:
    """Its first loss is near its parent's last one, and far from its own."""
    histories = population["histories"]
    member, epoch, parent = copies(histories)[0]
    child = histories[member][epoch]["loss"]
    own, others = histories[member][epoch - 1]["loss"], histories[parent][epoch - 1]["loss"]
    assert abs(child - others) < abs(child - own)


def test_the_population_beats_the_best_fixed_rate(fixed, population) -> None:
    assert fixed["loss"] == min(history[-1]["loss"] for history in fixed["histories"])
    assert population["loss"] == min(history[-1]["loss"] for history in population["histories"])
    assert population["loss"] < fixed["loss"]


def test_the_picture_shows_the_line_of_the_best_in_red(fixed, population, folder) -> None:
    assert len(set(population["line"])) > 1 == len(set(fixed["line"]))
    for kind in ("baseline", "ray"):
        with Image.open(folder / f"out/ray_tune/03_pbt/{kind}.png") as picture:
            colors = {color for _, color in picture.convert("RGB").getcolors(1 << 24)}
        assert (214, 39, 40) in colors and (211, 211, 211) in colors
