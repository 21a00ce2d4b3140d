"""Lesson ray_tune/01, both twins in turn on the same seeds: epochs, warm seconds, best score.

    python benchmarks/tune_asha.py --seeds 5 --first 300

The lesson was given its shape with a look at seeds 0 to 4, 100 to 104 and 200 to 219; others are a
fair trial. Exits with 1 unless with every seed ASHA took at most 35% of the epochs and 40% of the
seconds, and its best score is at most 0.5 points below that of training everything to its end.
"""

import sys
from statistics import median

import typer
from twins import returned

BASELINE, RAY = (f"ray_tune/01_asha_{twin}.py" for twin in ("baseline", "ray"))
EPOCHS, SECONDS, POINTS = 0.35, 0.40, 0.5


def main(seeds: int = 5, first: int = 300, trials: int = 32, epochs: int = 27) -> None:
    """SEEDS searches, from seed FIRST on, among TRIALS configurations, by each twin."""
    if seeds < 1:
        raise typer.BadParameter("--seeds starts at 1")
    print("| seed | epochs | share | seconds | share | ready | best score | lost points |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    held, shares = [], []
    for seed in range(first, first + seeds):
        arguments = dict(trials=trials, epochs=epochs, seed=seed)
        whole, asha = returned(BASELINE, arguments), returned(RAY, arguments)
        if whole["answer"] != asha["answer"]:
            sys.exit(f"the twins disagree: {whole['answer']} and {asha['answer']}")
        share, time = (asha[key] / whole[key] for key in ("epochs", "seconds"))
        lost = 100 * (whole["score"] - asha["score"])
        held.append(share <= EPOCHS and time <= SECONDS and lost <= POINTS)
        shares.append((share, time, lost))
        print(
            f"| {seed} | {asha['epochs']} of {whole['epochs']} | {share:.0%} |"
            f" {asha['seconds']:.1f} of {whole['seconds']:.1f} | {time:.0%} |"
            f" {asha['ready_seconds']:.1f} and {whole['ready_seconds']:.1f} s |"
            f" {asha['score']:.2%} and {whole['score']:.2%} | {lost:.2f} |",
            flush=True,
        )
    share, time, lost = map(median, zip(*shares, strict=True))
    print(f"medians: {share:.0%} of the epochs, {time:.0%} of the seconds, {lost:.2f} points lost")
    print(f"{sum(held)} of {seeds} seeds held")
    raise typer.Exit(not all(held))


if __name__ == "__main__":
    typer.run(main)
