"""Lesson vllm_examples/04: requests/s and tokens/s at 1, 8 and 32 clients, of all ways to serve.

    .venv-vllm/bin/python benchmarks/llm_serving.py

Each service is started once, by its script, and asked by OpenAI's client. Exits with 1 unless with
the most clients the deployment around vLLM's async engine, behind HAProxy, answered at least 5
times as many requests/s as transformers behind FastAPI.
"""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import openai
import typer
from twins import HAPROXY

from workshop import chats, llm, web
from workshop.lessons import LLM_PYTHON, ROOT
from workshop.processes import end_session

RATE, PATIENCE = 5.0, 180
ITS_PROXY = {"RAY_SERVE_ENABLE_HA_PROXY": "0"}
BASELINE, ENGINE = "transformers, FastAPI", "async engine, HAProxy"
WAYS = {
    BASELINE: ("04_engine_baseline", {}),
    "LLM in a handler": ("04_engine_pitfall", ITS_PROXY),
    "async engine": ("04_engine_ray", ITS_PROXY),
    ENGINE: ("04_engine_ray", HAPROXY),
    "ray.serve.llm": ("04_openai_ray", ITS_PROXY),
    "ray.serve.llm, HAProxy": ("04_openai_ray", HAPROXY),
}


@contextmanager
def served(script: str, port: int, env: dict[str, str]) -> Iterator[str]:
    """The URL of the service that the script holds up, and of nothing after the block."""
    command = [LLM_PYTHON, ROOT / f"vllm_examples/{script}.py", "--hold", "--port", str(port)]
    how = dict(cwd=ROOT, env=os.environ | env, start_new_session=True)
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process = subprocess.Popen(command, **how, **quiet)
    url, deadline = f"http://{web.HOST}:{port}", time.monotonic() + PATIENCE
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)
    ask = dict(model=chats.NAME, messages=llm.chats(llm.problems(1, 0))[0], max_tokens=1)
    try:
        while True:
            try:
                client.chat.completions.create(**ask)
                break
            except openai.APIError:
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{script} did not come up: run it by itself to see why")
                time.sleep(0.1)
        yield url
    finally:
        end_session(process.pid, grace=60)
        process.wait()


def main(
    clients: list[int] = [1, 8, 32],  # noqa: B006
    each: int = 4,
    least: int = 16,
    tokens: int = 96,
    port: int = 8000,
    only: list[str] = [],  # noqa: B006
    seed: int = 42,
) -> None:
    """EACH requests from every client, at least LEAST; of all ways, or of every --only WAY."""
    if min(*clients, each, least, tokens) < 1:
        raise typer.BadParameter("each of them starts at 1")
    if wrong := set(only) - set(WAYS):
        raise typer.BadParameter(f"no way is called {wrong.pop()!r}: there are {', '.join(WAYS)}")
    if platform.system() != "Linux":
        raise typer.BadParameter("HAProxy comes with Ray on Linux only")
    for needed in (port, 8404, 8500, 9101):
        web.check_port(needed)
    ways = {name: how for name, how in WAYS.items() if not only or name in only}
    first, rates, answers = llm.chats(llm.problems(32, seed + 1)), {}, {}
    print("| served by | clients | requests/s | of transformers' | tokens/s | p50, ms |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, (script, env) in ways.items():
        with served(script, port, env) as url:
            chats.ask_all(url, first, 8, tokens)
            for several in clients:
                asked = llm.chats(llm.problems(max(least, each * several), seed))
                done = chats.ask_all(url, asked, several, tokens)
                answer = llm.digest(done.texts)
                if answers.setdefault(several, answer) != answer:
                    sys.exit(f"{name} answers {answer}, not {answers[several]}")
                rate = rates[name, several] = len(asked) / done.seconds
                share = rate / rates.get((BASELINE, several), float("nan"))
                columns = f"{rate:.1f} | {share:.1f} | {done.tokens / done.seconds:.0f}"
                print(f"| {name} | {several} | {columns} | {done.p50:.0f} |", flush=True)
    if not {BASELINE, ENGINE} <= set(ways):
        raise typer.Exit
    most = max(clients)
    share = rates[ENGINE, most] / rates[BASELINE, most]
    print(f"{most} clients: {ENGINE}: {share:.1f} times the requests/s of {BASELINE}")
    print("held" if share >= RATE else f"not held: at least {RATE:.0f} times are wanted")
    raise typer.Exit(share < RATE)


if __name__ == "__main__":
    typer.run(main)
