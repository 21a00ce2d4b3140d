"""Exercise 1: a service that counts words, on Serve.

Complete service(): the FastAPI app below on Serve, as two replicas with half a CPU each. WordCount
makes a set of STOP_WORDS once, when a replica starts, and not on every request; POST /count takes
a Text and answers with a Count; capitals make no other word. A text without a word gets 422 and a
sentence.

    make check EX=ray_serve/01
"""

from fastapi import FastAPI, HTTPException  # noqa: F401
from pydantic import BaseModel

from ray import serve  # noqa: F401
from ray.serve import Application

app = FastAPI()
STOP_WORDS = "a an and in is it of on or that the to".split()


class Text(BaseModel):
    id: int
    text: str


class Count(BaseModel):
    id: int
    words: int  # that are no stop words


def service() -> Application:
    raise NotImplementedError("a class WordCount with @serve.deployment and @serve.ingress(app)")
