"""Lesson ray_tune/03, both twins in turn: the final loss of the best fixed rate and of PBT.

python benchmarks/tune_pbt.py --seeds 3
"""

import json
import subprocess
import sys
from statistics import median

import typer

from workshop.lessons import ROOT

CALL_MAIN = ROOT / "tests" / "call_main.py"


def figures_of(twin: str, arguments: dict) -> dict:
    """What main() of the twin returned, in a process of its own."""
    script = f"ray_tune/03_pbt_{twin}.py"
    command = [sys.executable, str(CALL_MAIN), script, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{script} {arguments} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.rpartition("RETURNED ")[2].partition("\n")[0])


def main(seeds: int = 3, members: int = 8, epochs: int = 24) -> None:
    """Both twins with the seeds 0, 1, .., alone on the machine; ends with 1 where PBT loses."""
    if seeds < 1:
        raise typer.BadParameter("--seeds starts at 1")
    print("| seed | best fixed rate | PBT | seconds | PBT | ready | PBT | in the best one's line |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    losses = ([], [])
    for seed in range(seeds):
        given = dict(members=members, epochs=epochs, seed=seed)
        twins = [figures_of(twin, given) for twin in ("baseline", "ray")]
        if twins[0]["answer"] != twins[1]["answer"] or twins[0]["items"] != twins[1]["items"]:
            sys.exit(f"seed {seed}: the twins did not begin alike, or not with one budget")
        for found, figures in zip(losses, twins, strict=True):
            found.append(figures["loss"])
        cells = [f"{figures['loss']:.4f}" for figures in twins]
        cells += [f"{figures['seconds']:.1f}" for figures in twins]
        cells += [f"{figures['ready_seconds']:.1f}" for figures in twins]
        print(f"| {seed} | {' | '.join(cells)} | {len(set(twins[1]['line']))} |", flush=True)
    best, found = map(median, losses)
    print(f"medians: best fixed rate {best:.4f}, PBT {found:.4f}")
    raise typer.Exit(found >= best)


if __name__ == "__main__":
    typer.run(main)
