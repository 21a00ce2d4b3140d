"""A language model with OpenAI's whole API: ray.serve.llm, which is vLLM on Ray Serve.

    python vllm_examples/04_openai_ray.py

`ready` is from the command until the service is healthy; `--hold` keeps it up for your own client.
Last line: 64 requests in 1.91 s (33.6 requests/s), answer 312dd7cd
"""

import logging  # NEW:
import time

import psutil
import typer

import ray  # NEW:
from ray import serve  # NEW:

from workshop import chats, llm, web


def service(model: str) -> serve.Application:  # NEW:
    from ray.serve.llm import LLMConfig, build_openai_app  # NEW:

    here = {} if llm.has_gpu() else dict(accelerator_config=dict(kind="cpu"))  # NEW:
    small = dict(ray_actor_options=dict(num_cpus=0.5))  # NEW: each; the engine takes 1 more
    config = LLMConfig(  # NEW:
        model_loading_config=dict(model_id=chats.NAME, model_source=model),  # NEW:
        engine_kwargs=llm.options(),  # NEW:
        deployment_config=dict(num_replicas=1, max_ongoing_requests=64, **small),  # NEW:
        runtime_env=dict(env_vars=llm.environment(model)),  # NEW:
        **here,  # NEW:
    )
    return build_openai_app(dict(llm_configs=[config], ingress_deployment_config=small))  # NEW:


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
    environment = llm.prepare(model)  # NEW:
    problems, url = llm.problems(requests, seed), f"http://{web.HOST}:{port}"
    asked = llm.chats(problems)

    logging.disable(logging.WARNING)  # NEW: ray.serve.llm says a lot
    ray.init(log_to_driver=False, runtime_env=dict(env_vars=environment))  # NEW:
    quiet = dict(enable_access_log=False, log_level="WARNING")  # NEW:
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=quiet)  # NEW:
    try:  # NEW:
        serve.run(service(model), logging_config=quiet)  # NEW:
        ready = time.time() - psutil.Process().create_time()
        if hold:
            web.hold(port)
        models, pieces = stream(url, asked[0], tokens)
        chats.ask_all(url, llm.chats(llm.problems(8, seed + 1)), 8, tokens)
        done = chats.ask_all(url, asked, clients, tokens)
    finally:  # NEW:
        serve.shutdown()  # NEW:

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
