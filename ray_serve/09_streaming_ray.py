"""A language model answers in words, on Ray Serve: each token is sent as soon as it is made, as an
event over HTTP or over a websocket. Whoever goes away stops the generation.

    python ray_serve/09_streaming_ray.py

`ready` is from the command until the service is healthy.
Last line: 30 requests in 4.90 s (6.1 requests/s), answer 07449849
"""

import asyncio  # NEW:
import random
import time
from collections.abc import AsyncIterator  # NEW:

import psutil
import requests
import torch
import typer
from fastapi import FastAPI, WebSocket  # NEW:
from fastapi.sse import EventSourceResponse, ServerSentEvent  # NEW:
from pydantic import BaseModel, Field, ValidationError  # NEW:
from transformers import AutoModelForCausalLM, AutoTokenizer

import ray  # NEW:
from ray import serve  # NEW:
from ray.serve.handle import DeploymentHandle  # NEW:

from workshop import lessons, load, offline_data, web

app = web.guarded(FastAPI(title="Problems"))
MODEL, LIMIT, GONE = lessons.ROOT / "workshop/model", 128, 0.05  # folder, tokens, seconds


class Question(BaseModel):
    id: int
    text: str = Field(min_length=1, max_length=500)


@serve.deployment(ray_actor_options={"num_cpus": 0.5})  # NEW:
class Model:
    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.tokenizer = AutoTokenizer.from_pretrained(MODEL)
        self.model, self.made = AutoModelForCausalLM.from_pretrained(MODEL), 0

    async def generate(self, question: str) -> AsyncIterator[str]:  # NEW:
        prompt = f"<|user|>{question}<|assistant|>"  # NEW:
        ids, cache = self.tokenizer(prompt, return_tensors="pt")["input_ids"], None
        for _ in range(LIMIT):
            with torch.inference_mode():
                found = self.model(ids, past_key_values=cache, use_cache=True)
            ids, cache = found.logits[:, -1:].argmax(-1), found.past_key_values
            self.made += 1
            if ids.item() == self.tokenizer.eos_token_id:
                break
            yield self.tokenizer.decode(ids[0])  # NEW:
            await asyncio.sleep(0)  # NEW: lets others have a turn, and cancel() take effect

    async def tokens(self) -> int:  # NEW:
        return self.made  # NEW:


@serve.deployment(ray_actor_options={"num_cpus": 0.2})  # NEW:
@serve.ingress(app)  # NEW:
class Problems:  # NEW:
    def __init__(self, model: DeploymentHandle) -> None:  # NEW:
        self.model, self.stream = model, model.options(stream=True)  # NEW:

    @app.get("/healthz")
    async def healthz(self) -> dict[str, str]:  # NEW:
        return {"status": "ok"}

    @app.get("/tokens")
    async def tokens(self) -> int:  # NEW:
        return await self.model.tokens.remote()  # NEW:

    @app.post("/solve", response_class=EventSourceResponse)  # NEW:
    async def solve(self, question: Question) -> AsyncIterator[ServerSentEvent]:  # NEW:
        async for piece in self.stream.generate.remote(question.text):  # NEW:
            yield ServerSentEvent(data=piece)  # NEW:
        yield ServerSentEvent(data=question.id, event="end")  # NEW:

    @app.websocket("/solve")  # NEW:
    async def talk(self, socket: WebSocket) -> None:  # NEW: one question, then its answer
        await socket.accept()  # NEW:
        try:  # NEW:
            asked = Question.model_validate_json((await socket.receive()).get("text") or "")  # NEW:
        except ValidationError as error:  # NEW:
            return await socket.close(1007, error.errors()[0]["msg"][:120])  # NEW:
        pieces = self.stream.generate.remote(asked.text)  # NEW:
        left = asyncio.create_task(socket.receive())  # NEW:
        left.add_done_callback(lambda _: pieces.cancel())  # NEW: or the model would go on
        async for piece in pieces:  # NEW:
            await socket.send_json(piece)  # NEW:
        await socket.send_json(asked.id)  # NEW:
        await socket.close()  # NEW:
        left.cancel()  # NEW:


def tokens_for(url: str, bodies: list[dict], patience: float) -> int:
    """How many tokens are made for clients of whom each goes away after PATIENCE seconds."""
    begin, before = (now := requests.get(f"{url}/tokens", timeout=60).json()), None
    load.closed_loop(f"{url}/solve", bodies, warm_up=0, timeout=patience)
    while before != now:
        time.sleep(0.5)
        before, now = now, requests.get(f"{url}/tokens", timeout=60).json()
    return now - begin


def main(
    questions: int = 30, clients: int = 1, port: int = 8000, hold: bool = False, seed: int = 42
) -> dict:
    """Asks QUESTIONS questions from CLIENTS clients, each its next one after an answer."""
    if questions < 1 or clients < 1:
        raise typer.BadParameter("--questions and --clients start at 1")
    web.check_port(port)
    problems, draw = offline_data.held_out(), random.Random(seed)
    asked = [dict(id=n, text=draw.choice(problems).question) for n in range(questions)]
    long = [dict(id=0, text=problems[2].question)] * 5  # of three calculations

    ray.init(log_to_driver=False)  # NEW:
    quiet = dict(enable_access_log=False, log_level="WARNING")  # NEW:
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=quiet)  # NEW:
    try:  # NEW:
        serve.run(Problems.bind(Model.bind()), logging_config=quiet)  # NEW:
        ready = time.time() - psutil.Process().create_time()
        if hold:
            web.hold(port)
        url = f"http://{web.HOST}:{port}"
        done = load.closed_loop(f"{url}/solve", asked, clients, 3, send=load.events)  # NEW:
        talk = load.closed_loop(f"{url}/solve", asked, clients, 3, send=load.websocket)  # NEW:
        stayed, left = (tokens_for(url, long, patience) for patience in (60, GONE))
    finally:  # NEW:
        serve.shutdown()  # NEW:

    print(f"ready in {ready:.1f} s")
    print(f"first token: {done.latency}; as an event")  # NEW:
    print(f"first token: {talk.latency}; over a websocket")  # NEW:
    print(f"tokens for 5 clients that stay: {stayed}, that leave after {GONE} s: {left}")
    seconds, answer = done.seconds, done.digest
    print(f"{questions} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=questions, unit="requests", seconds=seconds, ready_seconds=ready)
    figures |= dict(failed=len(done.failed), first=done.percentile(50), stayed=stayed, left=left)
    figures |= dict(first_on_socket=talk.percentile(50), on_socket=talk.digest)  # NEW:
    return figures | dict(answer=answer)


if __name__ == "__main__":
    typer.run(main)
