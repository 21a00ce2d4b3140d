"""Lesson ray_tune/03, both twins in turn: the final loss of the best fixed rate and of PBT.

    python benchmarks/tune_pbt.py --seeds 3 --first 100

The lesson was given its shape in simulations with seeds 0 to 9, and with seed 42; others are a
fair trial. Exits with 1 unless the median of PBT's losses is below that of the best fixed rates.
"""

import sys
from statistics import median

import typer
from twins import returned

BASELINE, RAY = (f"ray_tune/03_pbt_{twin}.py" for twin in ("baseline", "ray"))


def main(seeds: int = 3, first: int = 100, members: int = 8, generations: int = 4) -> None:
    """SEEDS populations, from seed FIRST on, by each twin; alone on the machine."""
    if seeds < 1:
        raise typer.BadParameter("--seeds starts at 1")
    print("| seed | best fixed rate | PBT | seconds | PBT | ready | PBT | rates of PBT's best |")
    print("|--:|--:|--:|--:|--:|--:|--:|---|")
    losses = ([], [])
    for seed in range(first, first + seeds):
        arguments = dict(members=members, generations=generations, seed=seed)
        twins = returned(BASELINE, arguments), returned(RAY, arguments)
        if any(twins[0][key] != twins[1][key] for key in ("answer", "items")):
            sys.exit(f"seed {seed}: the twins did not begin alike, or not with one budget")
        for found, twin in zip(losses, twins, strict=True):
            found.append(twin["loss"])
        cells = [f"{twin['loss']:.4f}" for twin in twins]
        cells += [f"{twin[key]:.1f}" for key in ("seconds", "ready_seconds") for twin in twins]
        cells.append(", ".join(f"{row['rate']:.4f}" for row in twins[1]["best"]))
        print(f"| {seed} | {' | '.join(cells)} |", flush=True)
    fixed, pbt = map(median, losses)
    lower = sum(a < b for b, a in zip(*losses, strict=True))
    print(f"medians: best fixed rate {fixed:.4f}, PBT {pbt:.4f}; PBT lower in {lower} of {seeds}")
    raise typer.Exit(pbt >= fixed)


if __name__ == "__main__":
    typer.run(main)
