"""Generated problems as the offline model reads them: batches to learn from, and an exam.

Needs neither torch nor transformers, so that a process that only prepares data starts quickly.
"""

import functools
import itertools
import random
from collections.abc import Iterator, Sequence

from tokenizers import Tokenizer

from workshop.problems import Problem, problem

BATCH = 32  # problems
GROUP = 16  # batches that are made together; the problems of each are about equally long
EXAM = 500  # problems that no model ever learns from
USER, ASSISTANT, END = "<|user|>", "<|assistant|>", "<|endoftext|>"


@functools.cache
def held_out() -> tuple[Problem, ...]:
    """The exam: problems of one, two and three calculations in turn, no question twice."""
    rng, exam = random.Random("held out"), {}
    while len(exam) < EXAM:
        one = problem(rng, 1 + len(exam) % 3)
        exam.setdefault(one.question, one)
    return tuple(exam.values())


def to_learn(rng: random.Random) -> Iterator[Problem]:
    """Problems without end, none of them from the exam."""
    exam = {one.question for one in held_out()}
    while True:
        one = problem(rng)
        if one.question not in exam:
            yield one


def encoded(tokenizer: Tokenizer, problems: Sequence[Problem]) -> list[tuple[list[int], int]]:
    """Of each problem the token ids of question and answer, and where the answer starts."""
    tokenizer.no_padding()  # transformers leaves it padding after a batch of chats
    questions = tokenizer.encode_batch([f"{USER}{p.question}{ASSISTANT}" for p in problems])
    answers = tokenizer.encode_batch([f"{p.answer}{END}" for p in problems])
    return [(q.ids + a.ids, len(q.ids)) for q, a in zip(questions, answers, strict=True)]


def batch_of(rows: list[tuple[list[int], int]]) -> dict[str, list]:
    """The rows as columns: token ids, and where the answers start."""
    return {"ids": [ids for ids, _ in rows], "start": [start for _, start in rows]}


def group(tokenizer: Tokenizer, seed: int, number: int, part: int = 0, parts: int = 1) -> list:
    """Group NUMBER of the batches of a seed, or one of PARTS equal parts of each of its batches."""
    size, rng = BATCH // parts, random.Random(f"{seed} {number} {part}")
    rows = encoded(tokenizer, list(itertools.islice(to_learn(rng), GROUP * size)))
    rows.sort(key=lambda row: len(row[0]))
    order = random.Random(f"{seed} {number}").sample(range(GROUP), GROUP)  # alike in all parts
    return [batch_of(rows[k * size : (k + 1) * size]) for k in order]
