"""Lesson ray_serve/02: requests/s and latency with many clients and with one, in one run.

    python benchmarks/serve_batching.py --clients 32

Bare uvicorn, Serve behind its default proxy and behind HAProxy (Linux) take turns; medians over
the runs. Exits with 1 unless with all those clients HAProxy gave at least 3 times the requests/s
of uvicorn and a lower p95. What one client sees is printed beside it: there batching is slower.
"""

import platform
import sys
from statistics import median

import typer
from twins import returned

BASELINE, RAY = (f"ray_serve/02_batching_{twin}.py" for twin in ("baseline", "ray"))
HAPROXY, RATE = "RAY_SERVE_ENABLE_HA_PROXY", 3.0
UVICORN, PROXY, FAST = "uvicorn", "Serve, its proxy", "Serve, HAProxy"
WAYS = {UVICORN: (BASELINE, {}), PROXY: (RAY, {HAPROXY: "0"}), FAST: (RAY, {HAPROXY: "1"})}


def main(runs: int = 3, clients: int = 32, requests: int = 1200, alone: int = 120) -> None:
    """RUNS rounds of REQUESTS from CLIENTS and of ALONE requests from one client."""
    if min(runs, clients, requests, alone) < 1:
        raise typer.BadParameter("each of them starts at 1")
    if platform.system() != "Linux":
        raise typer.BadParameter("HAProxy comes with Ray on Linux only")
    print("| clients | served by | requests/s | of uvicorn's | p50, ms | p95, ms | p99, ms |")
    print("|--:|---|--:|--:|--:|--:|--:|")
    found = {}
    for several, count in ((clients, requests), (1, alone)):
        rounds = []
        for _ in range(runs):
            arguments = dict(requests=count, clients=several)
            rounds.append(
                {name: returned(script, arguments, env) for name, (script, env) in WAYS.items()}
            )
            if len({one["answer"] for one in rounds[-1].values()}) > 1:
                sys.exit("they disagree")
        for name in WAYS:
            times = [median(one[name][key] for one in rounds) for key in ("p50", "p95", "p99")]
            rate = median(count / one[name]["seconds"] for one in rounds)
            share = median(one[UVICORN]["seconds"] / one[name]["seconds"] for one in rounds)
            found[several, name] = share, times[1]
            columns = " | ".join(f"{value:.0f}" for value in times)
            print(f"| {several} | {name} | {rate:.0f} | {share:.2f} | {columns} |", flush=True)
    (share, p95), (_, bare) = found[clients, FAST], found[clients, UVICORN]
    held = share >= RATE and p95 < bare
    print(f"{clients} clients: {share:.2f} times the rate, p95 {p95:.0f} against {bare:.0f} ms")
    print("held" if held else f"not held: at least {RATE:.0f} times and a lower p95 are wanted")
    raise typer.Exit(not held)


if __name__ == "__main__":
    typer.run(main)
