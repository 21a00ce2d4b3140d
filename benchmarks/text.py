"""Lesson ray_data/05, both twins in turn: the ratios that its README section names.

    python benchmarks/text.py --runs 5

For each size: the first batch (Ray / baseline, lower is better for Ray) and the rows a second
(Ray / baseline, higher is better), of each round, and their medians.
"""

import re
import sys
from statistics import median

import typer

from workshop.runner import Run, run_script

SCRIPTS = ("ray_data/05_text_baseline.py", "ray_data/05_text_ray.py")
SIZES = (20_000, 200_000)


def measured(script: str, rows: int) -> tuple[Run, float, float]:
    """The run, seconds to its first batch, rows a second."""
    run = run_script(script, "--rows", str(rows))
    if not run.ok:
        sys.exit(f"{script} --rows {rows} failed:\n{run.error}")
    first = float(re.search(r"^first batch after ([\d.]+) s", run.stdout, re.MULTILINE)[1])
    return run, first, run.items / run.seconds


def main(runs: int = 5) -> None:
    """RUNS alternating runs of each twin at 20,000 and 200,000 rows."""
    if runs < 1:
        raise typer.BadParameter("--runs starts at 1")
    for rows in SIZES:
        print(
            f"{rows} rows     first batch: baseline   Ray  ratio     rows/s: baseline    Ray  ratio"
        )
        firsts, rates = [], []
        for number in range(1, runs + 1):
            (a, a_first, a_rate), (b, b_first, b_rate) = (measured(s, rows) for s in SCRIPTS)
            if a.answer != b.answer:
                sys.exit(f"the twins disagree: {a.answer} and {b.answer}")
            firsts.append(b_first / a_first)
            rates.append(b_rate / a_rate)
            times = f"{a_first:21.2f} s {b_first:5.2f} s {firsts[-1]:5.2f}"
            print(f"round {number:<6}{times} {a_rate:19.0f} {b_rate:6.0f} {rates[-1]:6.2f}")
        print(f"median ratios: first batch {median(firsts):.2f}, rows/s {median(rates):.2f}\n")


if __name__ == "__main__":
    typer.run(main)
