"""OpenAI's chat API, for the services of vllm_examples that are written by hand: what its requests,
answers and errors look like. And load on any service that has it, by OpenAI's own client.

The services write greedily, the likeliest token each time. A request that wants another
temperature, or has a setting that they do not know, is refused rather than half obeyed.
"""

import asyncio
import json
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from workshop import web

NAME = "workshop"  # what every service calls its model: a client need not know what is behind it
PATH = "/v1/chat/completions"
MOST = AliasChoices("max_tokens", "max_completion_tokens")


class Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str


class Ask(BaseModel):
    model_config = ConfigDict(extra="forbid")
    model: str
    messages: list[Message] = Field(min_length=1)
    max_tokens: int = Field(96, ge=1, validation_alias=MOST)
    temperature: float = Field(0, ge=0, le=0)
    stream: bool = False

    @property
    def chat(self) -> list[dict[str, str]]:
        """For a tokenizer's chat template."""
        return [message.model_dump() for message in self.messages]

    def check(self, tokens: Sequence[int], context: int) -> int:
        """How many tokens the answer may have: 404 for another model, 400 where that is none."""
        if self.model != NAME:
            raise HTTPException(404, f"no model '{self.model}' here, only '{NAME}'")
        if len(tokens) >= context:
            raise HTTPException(
                400, f"the prompt has {len(tokens)} tokens, and the model's context is {context}"
            )
        return min(self.max_tokens, context - len(tokens))


async def explain(request: Request, error: Exception) -> JSONResponse:
    """An error as OpenAI words it; a malformed request is a 400 there."""
    if isinstance(error, RequestValidationError):
        status, wrong = 400, error.errors()[0]
        message = f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
    else:
        status, message = error.status_code, str(error.detail)
    told = dict(message=message, type="invalid_request_error", param=None, code=status)
    return JSONResponse(dict(error=told), status)


def app() -> FastAPI:
    """A FastAPI app with all but the chat itself."""
    made = web.guarded(FastAPI(title="Chat"))
    made.add_exception_handler(RequestValidationError, explain)
    made.add_exception_handler(HTTPException, explain)

    @made.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @made.get("/v1/models")
    async def models() -> dict:
        model = dict(id=NAME, object="model", created=0, owned_by="you")
        return dict(object="list", data=[model])

    return made


def _named(kind: str) -> dict:
    return dict(
        id=f"chatcmpl-{uuid.uuid4().hex}", object=kind, created=int(time.time()), model=NAME
    )


def completion(text: str, read: int, written: int, finish: str) -> dict:
    """The whole answer; READ tokens of prompt, WRITTEN ones, FINISH is "stop" or "length"."""
    choice = dict(index=0, message=dict(role="assistant", content=text), finish_reason=finish)
    usage = dict(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)
    return _named("chat.completion") | dict(choices=[choice], usage=usage)


def stream(pieces: AsyncIterator[tuple[str, str | None]]) -> StreamingResponse:
    """The pieces of an answer as server-sent events; with the last comes why it ended."""
    named = _named("chat.completion.chunk")

    async def events() -> AsyncIterator[str]:
        role = dict(role="assistant")
        async for text, finish in pieces:
            choice = dict(index=0, delta=role | dict(content=text), finish_reason=finish)
            yield f"data: {json.dumps(named | dict(choices=[choice]))}\n\n"
            role = {}
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def all_at_once(text: str, finish: str) -> AsyncIterator[tuple[str, str]]:
    """An answer that is there, as its only piece."""
    yield text, finish


@dataclass(frozen=True)
class Answers:
    """What all requests got, in their order, and the seconds from the first to the last."""

    texts: list[str]
    tokens: int
    seconds: float
    waited: list[float]  # seconds, of each

    @property
    def p50(self) -> float:
        """Milliseconds within which half of the requests had their answer."""
        return 1000 * statistics.median(self.waited)


def ask_all(url: str, chats: Sequence[list], clients: int, tokens: int) -> Answers:
    """Asks every chat once, from CLIENTS clients, each its next one when it has its answer.

    None of them tries again: what is refused raises the error of OpenAI's client.
    """
    from openai import AsyncOpenAI  # takes a second, and only .venv-vllm has it

    answers, numbered = {}, iter(enumerate(chats))
    given = dict(model=NAME, max_tokens=tokens, temperature=0)

    async def client(openai: AsyncOpenAI) -> None:
        for number, chat in numbered:
            start = time.perf_counter()
            said = await openai.chat.completions.create(messages=chat, **given)
            answers[number] = said, time.perf_counter() - start

    async def all_clients() -> float:
        how = dict(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=600)
        async with AsyncOpenAI(**how) as openai:
            start = time.perf_counter()
            await asyncio.gather(*(client(openai) for _ in range(clients)))
            return time.perf_counter() - start

    seconds = asyncio.run(all_clients())
    made, waited = zip(*(answers[number] for number in range(len(chats))), strict=True)
    texts = [one.choices[0].message.content for one in made]
    count = sum(one.usage.completion_tokens for one in made)
    return Answers(texts, count, seconds, list(waited))
