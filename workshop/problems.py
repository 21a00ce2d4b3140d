"""Grade-school word problems in the format of GSM-8K, generated: question, worked answer, number.

    Mia has 4 boxes with 6 pens in each. She gives 9 pens to Tom. How many pens does Mia have left?

    Mia has 4*6=<<4*6=24>>24 pens.
    Then Mia has 24-9=<<24-9=15>>15 pens left.
    #### 15

The format: Cobbe et al. 2021, https://arxiv.org/abs/2110.14168
"""

import operator
import random
from dataclasses import dataclass

HIGHEST = 100  # no number in a problem is larger
STEPS = (1, 2, 2, 3)  # how many calculations, drawn from these
WOMEN = "Mia Anna Lily Emma Zoe Nina Sara Priya Maya Ella Ruth Ivy".split()
MEN = "Tom Ben Sam Max Leo Omar Ravi Jack Noah Carl Dan Hugo".split()
THINGS = (
    "apples pens books coins cards shells stickers marbles cookies eggs stamps toys oranges"
    " beads stones cakes"
).split()
BOXES = "boxes bags baskets jars packs trays".split()
TIMES = {2: "twice", 3: "3 times", 4: "4 times", 5: "5 times"}
APPLY = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}


@dataclass(frozen=True)
class Problem:
    question: str
    answer: str
    number: int
    steps: int


class Story:
    """A problem while it is being told: sentences so far, and how many things there are now."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        woman = rng.random() < 0.5
        self.name = rng.choice(WOMEN if woman else MEN)
        self.friend = rng.choice([name for name in WOMEN + MEN if name != self.name])
        self.she, self.her = ("She", "her") if woman else ("He", "him")
        self.things, self.boxes = rng.choice(THINGS), rng.choice(BOXES)
        self.question: list[str] = []
        self.answer: list[str] = []
        self.number = 0

    def tell(self, *ways: str) -> None:
        """One of several ways to say the same."""
        self.question.append(self.rng.choice(ways))

    def calculate(self, sign: str, a: int, b: int, sentence: str) -> None:
        """Sentence has a place {} for the calculation."""
        self.number = APPLY[sign](a, b)
        sum_ = f"{a}{sign}{b}"
        self.answer.append(sentence.format(f"{sum_}=<<{sum_}={self.number}>>{self.number}"))

    def begin(self) -> str:
        """The first sentence, which may hold a calculation."""
        name, things, boxes, draw = self.name, self.things, self.boxes, self.rng.randint
        kind = self.rng.choice("AABBC")
        if kind == "A":
            self.number = draw(2, HIGHEST - 10)
            self.tell(
                f"{name} has {self.number} {things}.",
                f"{name} starts the day with {self.number} {things}.",
            )
        elif kind == "B":
            a, b = draw(2, 12), draw(2, 12)
            self.tell(
                f"{name} has {a} {boxes} with {b} {things} in each.",
                f"{name} buys {a} {boxes} of {things}. Each of the {boxes} holds {b} {things}.",
            )
            self.calculate("*", a, b, f"{name} has {{}} {things}.")
        else:
            a, b = draw(2, HIGHEST // 2), draw(2, HIGHEST // 2)
            self.tell(f"{name} has {a} red {things} and {b} blue {things}.")
            self.calculate("+", a, b, f"{name} has {{}} {things}.")
        return f"How many {things} does {name} have?"

    def go_on(self, last: bool) -> str:
        """One more calculation; returns the question that now ends the problem."""
        name, friend, things, draw = self.name, self.friend, self.things, self.rng.randint
        sign, n = self.rng.choice("++--" + "*/" * last), self.number
        if sign == "+":
            k = draw(2, 50)
            self.tell(
                f"{self.she} buys {k} more {things}.",
                f"{friend} gives {self.her} {k} {things}.",
                f"Then {self.she.lower()} finds {k} more.",
            )
            self.calculate(sign, n, k, f"Now {name} has {{}} {things}.")
            return f"How many {things} does {name} have now?"
        if sign == "-":
            k = draw(2, 50)
            self.tell(
                f"{self.she} gives {k} {things} to {friend}.",
                f"{self.she} loses {k} of them.",
                f"{self.she} sells {k} {things}.",
            )
            self.calculate(sign, n, k, f"Then {name} has {{}} {things} left.")
            return f"How many {things} does {name} have left?"
        if sign == "*":
            k = self.rng.choice(list(TIMES))
            self.tell(f"{friend} has {TIMES[k]} as many {things} as {name}.")
            self.calculate(sign, n, k, f"{friend} has {{}} {things}.")
            return f"How many {things} does {friend} have?"
        k = self.rng.choice([k for k in (2, 3, 4, 5, 6, 8, 10) if n % k == 0 and n >= 2 * k] or [0])
        if k == 0:
            return self.go_on(last)
        self.tell(f"{self.she} shares the {things} equally among {k} friends.")
        self.calculate(sign, n, k, f"Each friend gets {{}} {things}.")
        return f"How many {things} does each friend get?"


def problem(rng: random.Random, steps: int | None = None) -> Problem:
    """One problem of STEPS calculations (drawn from STEPS if None), no number above HIGHEST."""
    steps = steps or rng.choice(STEPS)
    while True:
        story = Story(rng)
        end = story.begin()
        while len(story.answer) < steps and 1 <= story.number <= HIGHEST:
            end = story.go_on(last=len(story.answer) == steps - 1)
        if 1 <= story.number <= HIGHEST and len(story.answer) == steps:
            question = " ".join([*story.question, end])
            answer = "\n".join([*story.answer, f"#### {story.number}"])
            return Problem(question, answer, story.number, steps)


def comparison(rng: random.Random) -> Problem:
    """A kind that problem() never makes: one has more or fewer than the other; both together."""
    while True:
        story, n, k = Story(rng), rng.randint(2, 45), rng.randint(2, 30)
        name, friend, things = story.name, story.friend, story.things
        word, sign = rng.choice([("more", "+"), ("fewer", "-")])
        if 1 <= APPLY[sign](n, k) <= HIGHEST - n:
            story.tell(f"{name} has {n} {things}. {friend} has {k} {word} {things} than {name}.")
            story.calculate(sign, n, k, f"{friend} has {{}} {things}.")
            story.calculate("+", n, story.number, f"Together they have {{}} {things}.")
            question = f"{story.question[0]} How many {things} do they have together?"
            answer = "\n".join([*story.answer, f"#### {story.number}"])
            return Problem(question, answer, story.number, steps=2)
