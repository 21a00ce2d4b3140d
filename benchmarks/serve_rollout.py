"""Lesson ray_serve/06 with three rolling updates under a heavier load, beside the restarts by hand.

    python benchmarks/serve_rollout.py
    python benchmarks/serve_rollout.py --no-haproxy     # the default proxy: fewer requests a second

Exits with 1 unless Serve answered at least 5,000 requests meanwhile and not one of them failed.
"""

import typer
from twins import uvicorn_and_serve

REQUESTS = 5000


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
    for twin, made in uvicorn_and_serve("06_rollout", arguments, haproxy):
        print(
            f"| {twin} | {updates} | {made['items']} | {made['failed']} | {made['seconds']:.1f} |"
            f" {made['ready_seconds']:.1f} |",
            flush=True,
        )
    held = made["failed"] == 0 and made["items"] >= REQUESTS
    print("held" if held else f"did not hold: 0 failed of {REQUESTS} or more")
    raise typer.Exit(not held)


if __name__ == "__main__":
    typer.run(main)
