"""Generated problems: every calculation in the worked answer is right."""

import random
import re

import pytest

from workshop.problems import HIGHEST, problem

CALCULATION = re.compile(r"(\d+)([-+*/])(\d+)=<<(\d+)([-+*/])(\d+)=(\d+)>>(\d+)")


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_worked_answers_are_right(steps: int) -> None:
    rng = random.Random(steps)
    for _ in range(300):
        one = problem(rng, steps)
        *lines, last = one.answer.splitlines()
        assert len(lines) == one.steps == steps
        before = None
        for line in lines:
            (found,) = CALCULATION.findall(line)
            a, sign, b, *inner, inside, outside = found
            assert inner == [a, sign, b] and inside == outside
            a, b, value = int(a), int(b), int(inside)
            right = {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[sign]
            assert value == right and 1 <= value <= HIGHEST
            assert before in (None, a), "a step starts from what the one before found"
            before = value
        assert last == f"#### {one.number}" and one.number == before
        assert one.question.endswith("?")


def test_seeded_and_varied() -> None:
    same = [[problem(random.Random(5)) for _ in range(3)] for _ in range(2)]
    assert same[0] == same[1]
    rng = random.Random(0)
    many = [problem(rng) for _ in range(2000)]
    assert len({one.question for one in many}) > 1800
    assert {one.steps for one in many} == {1, 2, 3}
    signs = "".join(re.findall(r"\d([-+*/])\d+=<<", "".join(one.answer for one in many)))
    assert set(signs) == set("+-*/")
