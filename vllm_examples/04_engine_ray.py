"""Many clients and one language model: vLLM's async engine in a Serve deployment.

    python vllm_examples/04_engine_ray.py

The engine writes a token of all answers that are under way, then the next; who comes joins in.
`ready` is from the command until the service is healthy; `--hold` keeps it up for your own client.
Last line: 64 requests in 1.43 s (44.9 requests/s), answer 99ebec7b
"""

import functools  # NEW:
import time
import uuid  # NEW:
from collections.abc import AsyncIterator

import psutil
import typer

import ray  # NEW:
from ray import serve  # NEW:

from workshop import chats, llm, web

app = chats.app()
ROOM = dict(num_cpus=0.5, num_gpus=int(llm.has_gpu()))  # NEW: of a replica


@serve.deployment(max_ongoing_requests=64, health_check_period_s=2, ray_actor_options=ROOM)  # NEW:
@serve.ingress(app)  # NEW:
class Chat:
    def __init__(self, model: str) -> None:
        llm.prepare(model)

        from vllm import AsyncEngineArgs, AsyncLLMEngine, SamplingParams  # NEW:
        from vllm.sampling_params import RequestOutputKind as Kind  # NEW:

        arguments = AsyncEngineArgs(model, **llm.options())  # NEW:
        self.engine = AsyncLLMEngine.from_engine_args(arguments)  # NEW:
        self.tokenizer = self.engine.get_tokenizer()  # NEW:
        self.context = self.engine.model_config.max_model_len  # NEW:
        self.greedy = functools.partial(SamplingParams, temperature=0)  # NEW:
        self.kinds = {True: Kind.DELTA, False: Kind.FINAL_ONLY}  # NEW: by ask.stream

    async def check_health(self) -> None:  # NEW: a replica whose engine died is replaced
        await self.engine.check_health()  # NEW:

    async def pieces(self, read: list[int], room: int, stream: bool) -> AsyncIterator:  # NEW:
        greedy = self.greedy(max_tokens=room, output_kind=self.kinds[stream])  # NEW:
        prompt, name = dict(prompt_token_ids=read), uuid.uuid4().hex  # NEW:
        async for one in self.engine.generate(prompt, greedy, name):  # NEW:
            yield one.outputs[0]  # NEW:

    @app.post(chats.PATH)  # NEW:
    async def chat(self, ask: chats.Ask):
        given = dict(add_generation_prompt=True, return_dict=True)  # NEW:
        read = self.tokenizer.apply_chat_template(ask.chat, **given)["input_ids"]  # NEW:
        room = ask.check(read, self.context)
        pieces = self.pieces(read, room, ask.stream)  # NEW:
        if ask.stream:
            return chats.stream((one.text, one.finish_reason) async for one in pieces)  # NEW:
        (one,) = [one async for one in pieces]  # NEW:
        return chats.completion(one.text, len(read), len(one.token_ids), one.finish_reason)  # NEW:


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
    environment = llm.prepare(model)  # NEW:
    problems, url = llm.problems(requests, seed), f"http://{web.HOST}:{port}"
    asked = llm.chats(problems)

    ray.init(log_to_driver=False, runtime_env=dict(env_vars=environment))  # NEW:
    quiet = dict(enable_access_log=False, log_level="WARNING")  # NEW:
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=quiet)  # NEW:
    try:  # NEW:
        serve.run(Chat.bind(model), logging_config=quiet)  # NEW:
        ready = time.time() - psutil.Process().create_time()
        if hold:
            web.hold(port)
        chats.ask_all(url, llm.chats(llm.problems(8, seed + 1)), 8, tokens)
        done = chats.ask_all(url, asked, clients, tokens)
    finally:  # NEW:
        serve.shutdown()  # NEW:

    seconds, count, answer = done.seconds, done.tokens, llm.digest(done.texts)
    right, rate = llm.right(done.texts, problems), requests / seconds
    print(f"ready in {ready:.1f} s")
    print(f"{right} of {requests} right; {count / seconds:.0f} tokens/s; p50 {done.p50:.0f} ms")
    print(f"{requests} requests in {seconds:.2f} s ({rate:.1f} requests/s), answer {answer}")
    figures = dict(items=requests, unit="requests", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, right=right, tokens=count, p50=done.p50)


if __name__ == "__main__":
    typer.run(main)
