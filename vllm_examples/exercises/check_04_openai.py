"""Checks a client against a service that has OpenAI's chat API, and no model."""

import asyncio
import inspect
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import openai
import uvicorn
from fastapi import FastAPI, HTTPException, Request

from workshop import chats, web

AT_ONCE, QUESTIONS, SECONDS = 4, 24, 0.05  # the service answers after so many seconds
REFUSED, BUSY = "question 5", "question 9"  # busy: the first time that it is asked
LONG, LATER = "question 0", "question 12"  # the one is not answered before the other is asked
PATIENCE = 3


class Service:
    def __init__(self) -> None:
        self.open, self.most, self.asked, self.in_vain = 0, 0, Counter(), False
        self.app = FastAPI()
        self.app.add_exception_handler(HTTPException, chats.explain)
        self.app.post(chats.PATH)(self.chat)
        self.app.get("/healthz")(lambda: "ok")

    async def chat(self, request: Request) -> dict:
        ask = chats.Ask.model_validate(await request.json())
        (message,) = ask.messages
        question, self.open = message.content, self.open + 1
        self.most = max(self.most, self.open)
        self.asked[question] += 1
        try:
            late = int(question.split()[-1]) % 3  # answers overtake each other
            await asyncio.sleep(SECONDS * (3 - late))
            deadline = time.monotonic() + PATIENCE
            while question == LONG and not self.asked[LATER] and not self.in_vain:
                self.in_vain = time.monotonic() > deadline
                await asyncio.sleep(0.01)
            if question == REFUSED:
                raise HTTPException(400, "no such question")
            if question == BUSY and self.asked[question] == 1:
                raise HTTPException(503, "busy")
        finally:
            self.open -= 1
        return chats.completion(f"the answer to {question}", 1, 1, "stop")


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    listening = uvicorn.Config(app, web.HOST, 0, log_level="critical").bind_socket()
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://{web.HOST}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def check(attempt) -> str:
    assert inspect.iscoroutinefunction(attempt.ask_all), "ask_all is no longer an async function"
    service, questions = Service(), [f"question {number}" for number in range(QUESTIONS)]

    async def ask(url: str) -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
            given = client, chats.NAME, questions, AT_ONCE
            return await asyncio.wait_for(attempt.ask_all(*given), 20)

    with served(service.app) as url:
        try:
            answers = asyncio.run(ask(url))
        except TimeoutError:
            raise AssertionError(
                "it was not done after 20 s: does something wait for ever?"
            ) from None
        except openai.APIStatusError as error:
            why = "the question that is refused" if error.status_code < 500 else "a busy service"
            raise AssertionError(
                f"{why} ends it for all others: openai.{type(error).__name__}"
            ) from None

    assert service.asked, "the service was not asked"
    assert isinstance(answers, list), f"ask_all returned no list but {type(answers).__name__}"
    assert len(answers) == QUESTIONS, f"{QUESTIONS} questions got {len(answers)} answers"
    wanted = [f"the answer to {question}" for question in questions]
    wanted[questions.index(REFUSED)] = "refused: 400"
    assert sorted(map(str, answers)) != sorted(wanted) or answers == wanted, (
        "the answers are there, but not in the order of the questions"
    )
    for question, got, want in zip(questions, answers, wanted, strict=True):
        assert got == want, f"{question} got {str(got)[:60]!r}, not {want!r}"
    assert service.asked[REFUSED] == 1, (
        f"the question that is refused was asked {service.asked[REFUSED]} times: a 4xx stays a 4xx"
    )
    assert service.most <= AT_ONCE, (
        f"{service.most} requests were open at a time, not {AT_ONCE}: asyncio.Semaphore"
    )
    assert service.most == AT_ONCE, (
        f"only {service.most} of {AT_ONCE} requests were open at a time: asyncio.gather"
    )
    assert not service.in_vain, (
        "while one answer takes long, the places of the others stay empty: do not wait for groups"
    )
    return f"{AT_ONCE} requests at a time, answers in order, and a refusal is one question's own"
