"""python -m workshop: the commands behind the Makefile."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from workshop import bench as benchmark
from workshop import doctor as doctoring
from workshop.cluster_check import check_cluster
from workshop.exercises import all_exercises, find, grade
from workshop.lessons import Pair, all_pairs, select
from workshop.runner import sigterm_as_interrupt
from workshop.scoreboard import scoreboard as run_scoreboard
from workshop.viewer import show_pair

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
Names = Annotated[
    list[str] | None, typer.Argument(help="Stages (ray_core) or lessons (ray_core/01).")
]


def usage_error(message: str) -> typer.Exit:
    print(f"workshop: {message}", file=sys.stderr)
    return typer.Exit(2)


def chosen(names: list[str] | None, pairs: list[Pair] | None = None) -> list[Pair]:
    try:
        return select(names or [], pairs or all_pairs())
    except LookupError as error:
        raise usage_error(error.args[0]) from None


def interrupted() -> typer.Exit:
    print("\nStopped; what was running has been ended.", file=sys.stderr)
    return typer.Exit(130)


@app.command()
def scoreboard(
    lessons: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="Every pair.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the results to this file.")] = None,
) -> None:
    """Run pairs of scripts and compare them; without a name, the tour."""
    pairs = all_pairs() if everything else chosen(lessons)
    if json and not json.parent.is_dir():
        raise usage_error(f"there is no folder '{json.parent}' for --json")
    try:
        with sigterm_as_interrupt():
            well = run_scoreboard(pairs, Console(), json)
    except KeyboardInterrupt:
        raise interrupted() from None
    raise typer.Exit(0 if well else 1)


@app.command()
def bench(
    lessons: Names = None,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each script; medians count.")] = 3,
) -> None:
    """Measure pairs (all, without a name) and write the README's scoreboard."""
    try:
        with sigterm_as_interrupt():
            well = benchmark.bench(chosen(lessons) if lessons else all_pairs(), runs, Console())
    except KeyboardInterrupt:
        raise interrupted() from None
    raise typer.Exit(0 if well else 1)


@app.command()
def diff(lesson: Annotated[str, typer.Argument(help="Such as ray_core/01.")]) -> None:
    """Show a pair side by side, with what Ray changes highlighted."""
    for pair in chosen([lesson]):
        show_pair(pair, Console())


@app.command()
def check(
    exercise: Annotated[str, typer.Argument(help="Such as ray_core/04, or a whole stage.")],
) -> None:
    """Check your solution of an exercise; one sentence says what is right or missing."""
    stage = [path for path in all_exercises() if path.parent.parent.name == exercise.strip("/")]
    try:
        exercises = stage or [find(exercise)]
    except LookupError as error:
        raise usage_error(error.args[0]) from None
    grades = []
    for path in exercises:
        name = f"{path.parent.parent.name}/exercises/{path.name}"
        try:
            with sigterm_as_interrupt(), Console(stderr=True).status(f"checking {name}"):
                grades.append(grade(path))
        except KeyboardInterrupt:
            raise interrupted() from None
        print(f"{name}: {'passed' if grades[-1].passed else 'not yet'}: {grades[-1].sentence}")
    raise typer.Exit(0 if all(grade.passed for grade in grades) else 1)


@app.command()
def doctor() -> None:
    """Look at this machine before the workshop."""
    raise typer.Exit(doctoring.report())


app.command("check-cluster")(check_cluster)

if __name__ == "__main__":
    app(prog_name="python -m workshop")
