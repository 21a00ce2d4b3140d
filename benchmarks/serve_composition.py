"""Lesson ray_serve/04: one process, and the pipeline with one reranker and with more, in turn.

    python benchmarks/serve_composition.py --rounds 3

Per stage: the median milliseconds that it takes alone, and that a deployment of its own adds.
Exits with 1 unless all answers are equal and two rerankers answer more a second than one.
"""

import runpy
import sys
from statistics import median

import typer
from twins import returned

import ray
from ray import serve

from workshop import load, readmes, server_timing, web

BASELINE, RAY = (f"ray_serve/04_composition_{twin}.py" for twin in ("baseline", "ray"))
ALONE = 20  # requests one after the other, for the stages' times


def composed(replicas: int, asked: list[dict], clients: int, port: int) -> tuple[load.Load, dict]:
    """The load on the Ray twin's deployments, with that many rerankers; and the stages' times."""
    made = runpy.run_path(RAY)
    rerank = made["Reranker"].options(num_replicas=replicas)
    stages = made["Retriever"].bind(), rerank.bind(), made["Generator"].bind()
    serve.run(made["Pipeline"].bind(*stages), logging_config=dict(log_level="WARNING"))
    url = f"http://{web.HOST}:{port}/ask"
    return load.closed_loop(url, asked, clients), server_timing.medians(url, asked[:ALONE])


def main(
    rounds: int = 3, requests: int = 120, clients: int = 8, port: int = 8000, seed: int = 42
) -> None:
    """ROUNDS times the same questions to the baseline, to one reranker and to two."""
    if rounds < 1:
        raise typer.BadParameter("--rounds starts at 1")
    web.check_port(port)
    asked = readmes.requests(requests, seed)
    rates: dict[str, list[float]] = {}
    print("| | requests/s | p50 | find | rank | quote | whole |")
    print("|---|--:|--:|--:|--:|--:|--:|")

    def row(name: str, rate: float, p50: float, alone: dict[str, float]) -> None:
        rates.setdefault(name, []).append(rate)
        times = " | ".join(f"{ms:.1f}" for ms in alone.values())
        print(f"| {name} | {rate:.1f} | {p50:.0f} ms | {times} |", flush=True)

    for _ in range(rounds):
        arguments = dict(requests=requests, clients=clients, port=port, seed=seed)
        whole = returned(BASELINE, arguments)
        row("one process", requests / whole["seconds"], whole["p50"], whole["alone"])
        ray.init(log_to_driver=False)
        http = dict(host=web.HOST, port=port)
        serve.start(http_options=http, logging_config=dict(log_level="WARNING"))
        for replicas in (1, 2):
            done, alone = composed(replicas, asked, clients, port)
            if done.digest != whole["bodies"]:
                sys.exit(f"the answers differ: {done.digest} and {whole['bodies']}")
            row(f"rerankers: {replicas}", done.rate, done.percentile(50), alone)
        serve.shutdown()
        ray.shutdown()
    middle = {name: median(found) for name, found in rates.items()}
    print(", ".join(f"{name} {rate:.1f} requests/s" for name, rate in middle.items()))
    raise typer.Exit(middle["rerankers: 2"] <= middle["rerankers: 1"])


if __name__ == "__main__":
    typer.run(main)
