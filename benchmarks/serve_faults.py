"""Lesson ray_serve/07 with ten kill -9, beside the single process that a loop starts again.

    python benchmarks/serve_faults.py
    python benchmarks/serve_faults.py --haproxy

Exits with 1 unless on Serve every request that was sent until it was answered has its answer, and
is booked once.
"""

import sys

import typer
from twins import returned

from workshop.lessons import ROOT

BASELINE, RAY = (str(ROOT / f"ray_serve/07_faults_{twin}.py") for twin in ("baseline", "ray"))
HAPROXY = dict(RAY_SERVE_ENABLE_HA_PROXY="1", RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S="1")


def main(
    kills: int = 10,
    requests: int = 4000,
    clients: int = 16,
    port: int = 8000,
    haproxy: bool = False,
) -> None:
    """KILLS kills, REQUESTS requests of which every other one is sent once, by each twin."""
    arguments = dict(requests=requests, kills=kills, clients=clients, port=port)
    print(
        "| twin | kills | requests | sent once: failed (booked) | sent until answered: failed |",
        end="",
    )
    print(" executed again | seconds |")
    print("|---|--:|--:|--:|--:|--:|--:|", flush=True)
    answers, made = [], {}
    for twin, script, env in (
        ("uvicorn", BASELINE, {}),
        ("Serve", RAY, HAPROXY if haproxy else {}),
    ):
        made = returned(script, arguments, env)
        answers.append(made["answer"])
        print(
            f"| {twin} | {kills} | {made['items']} | {made['failed']} ({made['booked']}) |"
            f" {made['gave_up']} | {made['twice']} | {made['seconds']:.1f} |",
            flush=True,
        )
    if len(set(answers)) > 1:
        sys.exit(f"the twins disagree: {answers}")
    held = made["gave_up"] == 0 and made["charges"] == requests - made["lost"]
    print("held" if held else "did not hold")
    raise typer.Exit(not held)


if __name__ == "__main__":
    typer.run(main)
