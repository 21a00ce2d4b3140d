"""Grades an attempt at an exercise with the checker that lies beside it.

STAGE/exercises/NN_name.py has a gap to fill in; STAGE/exercises/check_NN_name.py defines
check(attempt), which gets the attempt's names as attributes, raises AssertionError with one
sentence on what is missing, and returns one sentence on what is right.
"""

import runpy
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from workshop.lessons import ROOT, python_of
from workshop.runner import run_script

PASSED, NOT_YET = "passed: ", "not yet: "
SECONDS = 120


@dataclass(frozen=True)
class Grade:
    passed: bool
    sentence: str


def all_exercises(root: Path = ROOT) -> list[Path]:
    """Every exercise, in the order of the stages and lessons."""
    return sorted(root.glob("*/exercises/[0-9]*.py"))


def find(name: str, root: Path = ROOT) -> Path:
    """The exercise of a lesson such as "ray_core/04"; LookupError where there is none."""
    stage, _, lesson = name.strip("/").partition("/")
    found = [
        path
        for path in all_exercises(root)
        if path.parent.parent.name == stage and lesson and path.stem.startswith(lesson)
    ]
    if not found:
        known = ", ".join(f"{p.parent.parent.name}/{p.stem[:2]}" for p in all_exercises(root))
        raise LookupError(f"no exercise is called '{name}': there are {known}")
    return found[0]


def checker(exercise: Path) -> Path:
    return exercise.with_name(f"check_{exercise.name}")


def grade(exercise: Path, attempt: Path | None = None, env: dict | None = None) -> Grade:
    """Runs the exercise's checker on an attempt (the exercise itself, if none) in a process."""
    arguments = (str(checker(exercise)), str(attempt or exercise))
    how = dict(env=env, timeout=SECONDS, python=python_of(exercise))
    run = run_script(__file__, *arguments, **how)
    for line in reversed(run.stdout.splitlines()):
        if line.startswith((PASSED, NOT_YET)):
            return Grade(line.startswith(PASSED), line.partition(": ")[2])
    if run.exit_code == 124:
        return Grade(False, f"it was not done after {SECONDS} s: does something wait for ever?")
    return Grade(False, f"the check itself failed: {run.error.splitlines()[-1]}")


def one_sentence(error: BaseException) -> str:
    """What went wrong in an attempt: a task's error says what happened inside the task."""
    error = getattr(error, "cause", None) or error
    first = str(error).strip().splitlines()[0] if str(error).strip() else ""
    if isinstance(error, AssertionError) and first:
        return first
    if isinstance(error, NotImplementedError):
        return "the gap is still there: replace the line that raises NotImplementedError"
    return textwrap.shorten(f"{type(error).__name__}: {first}", 300)


def main(check_file: str, attempt_file: str) -> None:
    try:
        attempt = SimpleNamespace(**runpy.run_path(attempt_file))
        print(PASSED + runpy.run_path(check_file)["check"](attempt))
    except Exception as error:
        print(NOT_YET + one_sentence(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
