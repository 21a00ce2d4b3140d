"""The pictures that lessons leave under out/. Each function writes one PNG."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)


def learning_curves(file: Path, curves: Sequence[Sequence[float]], best: int) -> None:
    """The loss after each epoch of every trial, a dot where it ended; the best one is red."""
    axes = Figure(layout="constrained").add_subplot(xlabel="epoch", ylabel="loss", yscale="log")
    for number, curve in enumerate(curves):
        color = "tab:red" if number == best else "tab:gray"
        axes.plot(range(1, len(curve) + 1), curve, "o-", color=color, markevery=[-1])
    _save(axes.figure, file)


def best_so_far(file: Path, losses: Sequence[float], shaded: int) -> None:
    """Each trial's loss, and in red the smallest so far; the first SHADED trials are shaded."""
    axes = Figure(layout="constrained").add_subplot(xlabel="trials", ylabel="loss", yscale="log")
    numbers = range(1, len(losses) + 1)
    axes.plot(numbers, losses, "o", color="tab:gray")
    smallest = [min(losses[:number]) for number in numbers]
    axes.step(numbers, smallest, where="post", color="tab:red")
    axes.axvspan(0.5, shaded + 0.5, alpha=0.1)
    _save(axes.figure, file)


def lineage(file: Path, stories: Sequence[Sequence[dict]], best: Sequence[dict]) -> None:
    """The "rate" of each generation of every story; the best one's is red."""
    axes = Figure(layout="constrained").add_subplot(xlabel="generation", ylabel="rate")
    for story in [*stories, best]:
        color, lived = "tab:red" if story is best else "darkgray", range(1, len(story) + 1)
        axes.semilogy(lived, [row["rate"] for row in story], "o-", color=color)
    _save(axes.figure, file)


def latency(file: Path, answers: Sequence, replicas: Sequence[tuple[float, int]]) -> None:
    """Above how long each load.Answer took (red: no 200), below the replicas; over the time.

    REPLICAS are pairs (time.time(), how many there were); the first is the beginning.
    """
    figure, start = Figure(figsize=(8, 5), layout="constrained"), replicas[0][0]
    above, below = figure.subplots(2, sharex=True)
    sent, took = zip(*((a.sent - start, 1000 * a.seconds) for a in answers), strict=True)
    colors = ["tab:blue" if answer.status == 200 else "tab:red" for answer in answers]
    above.scatter(sent, took, 4, colors)
    times, counts = zip(*((moment - start, count) for moment, count in replicas), strict=True)
    below.step(times, counts, where="post")
    above.set(ylabel="milliseconds")
    below.set(xlabel="seconds", ylabel="replicas", ylim=(0, max(counts) + 1))
    _save(figure, file)
