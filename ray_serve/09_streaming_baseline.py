"""A language model answers in words: FastAPI on uvicorn, the whole text at the end. Whoever goes
away does not stop the generation.

    python ray_serve/09_streaming_baseline.py

`ready` is from the command until the service is healthy.
Last line: 30 requests in 2.09 s (14.4 requests/s), answer 07449849
"""

import functools
import random
import time

import psutil
import requests
import torch
import typer
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from workshop import lessons, load, offline_data, web

app = web.guarded(FastAPI(title="Problems"))
MODEL, LIMIT, GONE = lessons.ROOT / "workshop/model", 128, 0.05  # folder, tokens, seconds


class Question(BaseModel):
    id: int
    text: str = Field(min_length=1, max_length=500)


class Answer(BaseModel):
    id: int
    text: str


class Model:
    def __init__(self) -> None:
        torch.set_num_threads(1)
        disable_progress_bar()
        self.tokenizer = AutoTokenizer.from_pretrained(MODEL)
        self.model, self.made = AutoModelForCausalLM.from_pretrained(MODEL), 0

    def generate(self, question: str) -> str:
        prompt, pieces = f"<|user|>{question}<|assistant|>", []
        ids, cache = self.tokenizer(prompt, return_tensors="pt")["input_ids"], None
        for _ in range(LIMIT):
            with torch.inference_mode():
                found = self.model(ids, past_key_values=cache, use_cache=True)
            ids, cache = found.logits[:, -1:].argmax(-1), found.past_key_values
            self.made += 1
            if ids.item() == self.tokenizer.eos_token_id:
                break
            pieces.append(self.tokenizer.decode(ids[0]))
        return "".join(pieces)


model = functools.cache(Model)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/tokens")
async def tokens() -> int:
    return model().made


@app.post("/solve")
def solve(question: Question) -> Answer:
    return Answer(id=question.id, text=model().generate(question.text))


def serve_app(port: int) -> None:
    model()
    uvicorn.run(app, host=web.HOST, port=port, log_level="warning")


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

    with web.running(serve_app, port):
        ready = time.time() - psutil.Process().create_time()
        if hold:
            web.hold(port)
        url = f"http://{web.HOST}:{port}"
        done = load.closed_loop(f"{url}/solve", asked, clients, 3)
        stayed, left = (tokens_for(url, long, patience) for patience in (60, GONE))

    print(f"ready in {ready:.1f} s")
    print(f"first token: {done.latency}; with the whole answer")
    print(f"tokens for 5 clients that stay: {stayed}, that leave after {GONE} s: {left}")
    seconds, answer = done.seconds, done.digest
    print(f"{questions} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=questions, unit="requests", seconds=seconds, ready_seconds=ready)
    figures |= dict(failed=len(done.failed), first=done.percentile(50), stayed=stayed, left=left)
    return figures | dict(answer=answer)


if __name__ == "__main__":
    typer.run(main)
