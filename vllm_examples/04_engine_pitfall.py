"""The plausible attempt: vllm.LLM, which is made for lists of prompts, in a handler.

    python vllm_examples/04_engine_pitfall.py

generate() returns when its one prompt is done, and nothing else runs in the replica meanwhile: the
engine never sees a second request. And there is no piece of an answer to stream before its end.
Last line: 64 requests in 10.08 s (6.4 requests/s), answer 99ebec7b
"""

import functools
import time

import psutil
import typer

import ray
from ray import serve

from workshop import chats, llm, web

app = chats.app()
ROOM = dict(num_cpus=0.5, num_gpus=int(llm.has_gpu()))


@serve.deployment(max_ongoing_requests=64, ray_actor_options=ROOM)
@serve.ingress(app)
class Chat:
    def __init__(self, model: str) -> None:
        llm.prepare(model)

        from vllm import LLM, SamplingParams

        self.engine = LLM(model, **llm.options())
        self.tokenizer = self.engine.get_tokenizer()
        self.context = self.engine.model_config.max_model_len
        self.greedy = functools.partial(SamplingParams, temperature=0)

    @app.post(chats.PATH)
    async def chat(self, ask: chats.Ask):
        given = dict(add_generation_prompt=True, return_dict=True)
        read = self.tokenizer.apply_chat_template(ask.chat, **given)["input_ids"]
        greedy = self.greedy(max_tokens=ask.check(read, self.context))
        prompt = dict(prompt_token_ids=read)
        (said,) = self.engine.generate(prompt, greedy, use_tqdm=False)  # blocks all the others
        (one,) = said.outputs
        if ask.stream:
            return chats.stream(chats.all_at_once(one.text, one.finish_reason))
        return chats.completion(one.text, len(read), len(one.token_ids), one.finish_reason)


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
    environment = llm.prepare(model)
    problems, url = llm.problems(requests, seed), f"http://{web.HOST}:{port}"
    asked = llm.chats(problems)

    ray.init(log_to_driver=False, runtime_env=dict(env_vars=environment))
    quiet = dict(enable_access_log=False, log_level="WARNING")
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=quiet)
    try:
        serve.run(Chat.bind(model), logging_config=quiet)
        ready = time.time() - psutil.Process().create_time()
        if hold:
            web.hold(port)
        chats.ask_all(url, llm.chats(llm.problems(8, seed + 1)), 8, tokens)
        done = chats.ask_all(url, asked, clients, tokens)
    finally:
        serve.shutdown()

    seconds, count, answer = done.seconds, done.tokens, llm.digest(done.texts)
    right, rate = llm.right(done.texts, problems), requests / seconds
    print(f"ready in {ready:.1f} s")
    print(f"{right} of {requests} right; {count / seconds:.0f} tokens/s; p50 {done.p50:.0f} ms")
    print(f"{requests} requests in {seconds:.2f} s ({rate:.1f} requests/s), answer {answer}")
    figures = dict(items=requests, unit="requests", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, right=right, tokens=count, p50=done.p50)


if __name__ == "__main__":
    typer.run(main)
