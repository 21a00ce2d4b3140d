"""Lesson ray_data/02, measured: the loop, the DataLoader, Ray Data and the pitfall take turns.

    .venv/bin/python benchmarks/inference.py

Alone on the machine: five rounds take about ten minutes. The photographs (440, made once, so that
400 are scored) lie in out/benchmarks. The medians are over rounds, and so are the ratios, which
compare runs of one round.
"""

import statistics
from collections.abc import Iterator

import typer

from workshop.lessons import ROOT
from workshop.runner import Run, run_script
from workshop.samples import CAMERA_SIZE, images

FIT = 40  # photographs that the scripts set apart for the head
LESSON = "ray_data/02_inference_"
WAYS = {
    "loop": ("baseline", "--method", "loop"),
    "dataloader": ("baseline", "--method", "dataloader"),
    "ray": ("ray",),
    "pitfall": ("pitfall",),
}


def rate(run: Run) -> float:
    return run.items / run.seconds


def ahead_from(first: float, rate: float, other_first: float, other_rate: float) -> float:
    """From how many images on one way is done before the other, first batches and all.

    A way that takes FIRST seconds to its first batch and then does RATE images/s needs
    FIRST + n / RATE seconds for n more. Infinity where it is never ahead, 0 where it always is.
    """
    late, gain = first - other_first, 1 / other_rate - 1 / rate
    if late <= 0 and gain >= 0:
        return 0.0
    return late / gain if gain > 0 else float("inf")


def measured(photos: int, rounds: int) -> Iterator[dict[str, Run]]:
    folder = images(ROOT / "out" / "benchmarks" / "photos", photos + FIT, CAMERA_SIZE).folder
    for number in range(1, rounds + 1):
        runs = {}
        for way, (script, *flags) in WAYS.items():
            sizes = ("--images", str(photos), "--input", str(folder))
            output = ROOT / "out" / "benchmarks" / way
            run = run_script(f"{LESSON}{script}.py", *flags, *sizes, "--output", str(output))
            if not run.ok:
                raise SystemExit(f"{way}: {run.error}")
            runs[way] = run
            print(
                f"round {number}, {way:10}: first batch {run.ready_seconds:5.1f} s, then"
                f" {rate(run):5.1f} images/s, {run.ready_seconds + run.seconds:5.1f} s in all",
                flush=True,
            )
        answers = {run.answer for run in runs.values()}
        if len(answers) > 1:
            raise SystemExit(f"different answers: {answers}")
        yield runs


def report(rounds: list[dict[str, Run]]) -> list[str]:
    """Medians of every way, and Ray's ratio to each of the others."""

    def median(way: str, figure) -> float:
        return statistics.median(figure(runs[way]) for runs in rounds)

    lines = ["", "| way | first batch after | images/s after it | in all |", "|---|--:|--:|--:|"]
    for way in WAYS:
        ready = median(way, lambda run: run.ready_seconds)
        total = median(way, lambda run: run.ready_seconds + run.seconds)
        lines.append(f"| {way} | {ready:.1f} s | {median(way, rate):.1f} | {total:.1f} s |")
    lines.append("")
    own = median("ray", lambda run: run.ready_seconds), median("ray", rate)
    for way in (way for way in WAYS if way != "ray"):
        ratios = [rate(runs["ray"]) / rate(runs[way]) for runs in rounds]
        other = median(way, lambda run: run.ready_seconds), median(way, rate)
        lines.append(
            f"ray / {way}: {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f});"
            f" in total ahead from {ahead_from(*own, *other):,.0f} images on"
        )
    return lines


def main(rounds: int = 5, photos: int = 400) -> None:
    """ROUNDS times every way, on PHOTOS photographs."""
    if rounds < 1 or photos < 17:
        raise typer.BadParameter("--rounds starts at 1, --photos at 17")
    print("\n".join(report(list(measured(photos, rounds)))))


if __name__ == "__main__":
    typer.run(main)
