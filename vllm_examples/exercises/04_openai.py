"""Exercise 4: a thousand questions to one service, and none of them spoils the others.

Complete ask_all() for the official client: each question is a chat of its own, with one user
message. The answers come back in the order of the questions. At most AT_ONCE requests are open at
a time, and so many are, while there are enough questions left. A question that the service refuses
with a 4xx gets "refused: 400" (its status) for an answer; one that meets a busy service (503) is
asked again, which the client does by itself.

    make check EX=vllm_examples/04
"""

import asyncio  # noqa: F401

import openai


async def ask_all(
    client: openai.AsyncOpenAI, model: str, questions: list[str], at_once: int
) -> list[str]:
    raise NotImplementedError
