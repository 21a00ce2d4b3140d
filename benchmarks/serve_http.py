"""Lesson ray_serve/01: what a request costs on bare uvicorn, and on Serve with either ingress.

    python benchmarks/serve_http.py --runs 3

The three take turns. Nothing has to be held: it prints p50 and requests/s, and against uvicorn the
ratio and the milliseconds more, medians over the runs with their range.
"""

import sys
from statistics import median

import typer
from twins import HAPROXY, returned

BASELINE, RAY = (f"ray_serve/01_http_{twin}.py" for twin in ("baseline", "ray"))
WAYS = {
    "uvicorn": (BASELINE, {}),
    "Serve, its proxy": (RAY, {"RAY_SERVE_ENABLE_HA_PROXY": "0"}),
    "Serve, HAProxy": (RAY, HAPROXY),
}


def spread(values: list[float], digits: int) -> str:
    low, middle, high = min(values), median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def main(runs: int = 3, requests: int = 1000, clients: list[int] = [1, 16]) -> None:  # noqa: B006
    """RUNS rounds of REQUESTS from each number of CLIENTS."""
    if runs < 1:
        raise typer.BadParameter("--runs starts at 1")
    print("| clients | served by | p50, ms | requests/s | of uvicorn's | ms more |")
    print("|--:|---|--:|--:|--:|--:|")
    for several in clients:
        rounds = []
        for _ in range(runs):
            arguments = dict(requests=requests, clients=several)
            rounds.append(
                {name: returned(script, arguments, env) for name, (script, env) in WAYS.items()}
            )
            if len({found["answer"] for found in rounds[-1].values()}) > 1:
                sys.exit("they disagree")
        for name in WAYS:
            p50 = [found[name]["p50"] for found in rounds]
            rate = [found[name]["items"] / found[name]["seconds"] for found in rounds]
            bare = [found["uvicorn"]["items"] / found["uvicorn"]["seconds"] for found in rounds]
            more = [found[name]["p50"] - found["uvicorn"]["p50"] for found in rounds]
            share = [one / other for one, other in zip(rate, bare, strict=True)]
            print(
                f"| {several} | {name} | {spread(p50, 1)} | {spread(rate, 0)} |"
                f" {spread(share, 2)} | {spread(more, 1)} |",
                flush=True,
            )


if __name__ == "__main__":
    typer.run(main)
