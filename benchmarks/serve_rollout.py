"""Lesson ray_serve/06 with three rolling updates under a heavier load, beside the restarts by hand.

    python benchmarks/serve_rollout.py
    python benchmarks/serve_rollout.py --no-haproxy     # the default proxy: fewer requests a second

Exits with 1 unless Serve answered at least 5,000 requests meanwhile and not one of them failed.
"""

import sys

import typer
from twins import returned

from workshop.lessons import ROOT

BASELINE, RAY = (str(ROOT / f"ray_serve/06_rollout_{twin}.py") for twin in ("baseline", "ray"))
REQUESTS = 5000
HAPROXY = dict(RAY_SERVE_ENABLE_HA_PROXY="1", RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S="1")


def main(
    updates: int = 3,
    clients: int = 24,
    requests: int = 1000,
    port: int = 8000,
    haproxy: bool = True,
) -> None:
    """UPDATES rolling updates, a canary and a rollback, with CLIENTS clients, by each twin."""
    arguments = dict(requests=requests, updates=updates, clients=clients, port=port)
    print("| twin | updates | requests | failed | seconds | ready |")
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    answers, made = [], {}
    for twin, script, env in (
        ("uvicorn", BASELINE, {}),
        ("Serve", RAY, HAPROXY if haproxy else {}),
    ):
        made = returned(script, arguments, env)
        answers.append(made["answer"])
        print(
            f"| {twin} | {updates} | {made['items']} | {made['failed']} | {made['seconds']:.1f} |"
            f" {made['ready_seconds']:.1f} |",
            flush=True,
        )
    if len(set(answers)) > 1:
        sys.exit(f"the twins disagree: {answers}")
    held = made["failed"] == 0 and made["items"] >= REQUESTS
    print("held" if held else f"did not hold: 0 failed of {REQUESTS} or more")
    raise typer.Exit(not held)


if __name__ == "__main__":
    typer.run(main)
