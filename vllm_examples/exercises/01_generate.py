"""Exercise 1: ask several times, and let the answers vote.

At temperature 0 a model writes the token that it finds likeliest, always the same. At a higher
temperature it draws each token, and errs now here, now there; where most of its answers agree they
are mostly right. Let the engine answer each chat TIMES times at temperature 2, each answer at
most TOKENS long, and return for each chat the number that most of its answers give. Answers without
a number don't vote; where none has one, return None.

llm.number(text) is the number in an answer, or None. What engine.chat() returns for a chat has a
list: outputs.

    make check EX=vllm_examples/01
"""

from workshop import llm  # noqa: F401


def vote(engine, chats: list, times: int, tokens: int) -> list[int | None]:
    from vllm import SamplingParams  # noqa: F401

    raise NotImplementedError("SamplingParams(n=.., ..), engine.chat(..), collections.Counter")
