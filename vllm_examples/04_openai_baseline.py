"""A language model with OpenAI's chat API: transformers behind FastAPI, one answer at a time.

    python vllm_examples/04_openai_baseline.py

`ready` is from the command until the service is healthy; `--hold` keeps it up for your own client.
Last line: 64 requests in 6.20 s (10.3 requests/s), answer 312dd7cd
"""

import asyncio
import functools
import threading
import time
from collections.abc import AsyncIterator

import psutil
import typer
import uvicorn

from workshop import chats, llm, web

app = chats.app()


class Chat:
    def __init__(self, model: str) -> None:
        llm.prepare(model)

        import torch
        from transformers import AsyncTextIteratorStreamer, AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(llm.threads())
        self.tokenizer, self.one_at_a_time = AutoTokenizer.from_pretrained(model), threading.Lock()
        network = AutoModelForCausalLM.from_pretrained(model, dtype=llm.dtype()).to(llm.device())
        self.network, self.context = network.eval(), network.config.max_position_embeddings
        self.streamer = functools.partial(AsyncTextIteratorStreamer, self.tokenizer, True)

    def generate(self, asked: dict, room: int, streamer=None) -> tuple[list[int], str]:
        asked = asked.to(self.network.device)
        with self.one_at_a_time:
            how = dict(max_new_tokens=room, do_sample=False, streamer=streamer)
            (row,) = self.network.generate(**asked, **how).tolist()
        written = row[asked["input_ids"].shape[1] :]
        return written, "stop" if written[-1] == self.tokenizer.eos_token_id else "length"

    async def pieces(self, asked: dict, room: int) -> AsyncIterator[tuple[str, str | None]]:
        streamer = self.streamer(skip_special_tokens=True)
        work = asyncio.create_task(asyncio.to_thread(self.generate, asked, room, streamer))
        async for text in streamer:
            yield text, None
        _, finish = await work
        yield "", finish

    async def chat(self, ask: chats.Ask):
        given = dict(add_generation_prompt=True, return_dict=True, return_tensors="pt")
        asked = self.tokenizer.apply_chat_template(ask.chat, **given)
        (read,) = asked["input_ids"].tolist()
        room = ask.check(read, self.context)
        if ask.stream:
            return chats.stream(self.pieces(asked, room))
        written, finish = await asyncio.to_thread(self.generate, asked, room)
        text = self.tokenizer.decode(written, skip_special_tokens=True)
        return chats.completion(text, len(read), len(written), finish)


def serve_app(model: str, port: int) -> None:
    app.post(chats.PATH)(Chat(model).chat)
    uvicorn.run(app, host=web.HOST, port=port, log_level="warning")


def stream(url: str, chat: list[dict], tokens: int) -> tuple[list[str], list[str]]:
    """The names of the models, and one answer in pieces, as OpenAI's client gets them."""
    from openai import OpenAI

    client = OpenAI(base_url=f"{url}/v1", api_key="none")
    models = [model.id for model in client.models.list()]
    how = dict(max_tokens=tokens, temperature=0, stream=True)
    events = client.chat.completions.create(model=models[0], messages=chat, **how)
    return models, [event.choices[0].delta.content or "" for event in events]


def main(
    requests: int = 64,
    clients: int = 32,
    tokens: int = 96,
    port: int = 8000,
    hold: bool = False,
    model: str = llm.MODEL,
    seed: int = 42,
) -> dict:
    """Asks REQUESTS questions from CLIENTS clients, each its next one after an answer."""
    if min(requests, clients, tokens) < 1:
        raise typer.BadParameter("--requests, --clients and --tokens start at 1")
    web.check_port(port)
    llm.prepare(model)
    problems, url = llm.problems(requests, seed), f"http://{web.HOST}:{port}"
    asked = llm.chats(problems)

    with web.running(functools.partial(serve_app, model), port):
        ready = time.time() - psutil.Process().create_time()
        if hold:
            web.hold(port)
        models, pieces = stream(url, asked[0], tokens)
        chats.ask_all(url, llm.chats(llm.problems(8, seed + 1)), 8, tokens)
        done = chats.ask_all(url, asked, clients, tokens)

    seconds, count, answer = done.seconds, done.tokens, llm.digest([*done.texts, "".join(pieces)])
    right, rate = llm.right(done.texts, problems), requests / seconds
    print(f"ready in {ready:.1f} s")
    print(f"models: {', '.join(models)}; one answer in {len(pieces)} pieces")
    print(f"{right} of {requests} right; {count / seconds:.0f} tokens/s; p50 {done.p50:.0f} ms")
    print(f"{requests} requests in {seconds:.2f} s ({rate:.1f} requests/s), answer {answer}")
    figures = dict(items=requests, unit="requests", seconds=seconds, ready_seconds=ready)
    return figures | dict(
        answer=answer, right=right, tokens=count, p50=done.p50, pieces=len(pieces)
    )


if __name__ == "__main__":
    typer.run(main)
