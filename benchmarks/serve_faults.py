"""Lesson ray_serve/07 with ten kill -9, beside the single process that a loop starts again.

    python benchmarks/serve_faults.py
    python benchmarks/serve_faults.py --haproxy

Exits with 1 unless on Serve every request that was sent until it was answered has its answer, and
is booked once.
"""

import typer
from twins import uvicorn_and_serve


def main(
    kills: int = 10,
    requests: int = 4000,
    clients: int = 16,
    port: int = 8000,
    haproxy: bool = False,
) -> None:
    """KILLS kills, REQUESTS requests of which every other one is sent once, by each twin."""
    arguments = dict(requests=requests, kills=kills, clients=clients, port=port)
    once, until = "sent once: failed (booked)", "sent until answered: failed"
    print(f"| twin | kills | requests | {once} | {until} | executed again | seconds |")
    print("|---|--:|--:|--:|--:|--:|--:|", flush=True)
    for twin, made in uvicorn_and_serve("07_faults", arguments, haproxy):
        print(
            f"| {twin} | {kills} | {made['items']} | {made['failed']} ({made['booked']}) |"
            f" {made['gave_up']} | {made['twice']} | {made['seconds']:.1f} |",
            flush=True,
        )
    held = made["gave_up"] == 0 and made["charges"] == requests - made["lost"]
    print("held" if held else "did not hold")
    raise typer.Exit(not held)


if __name__ == "__main__":
    typer.run(main)
