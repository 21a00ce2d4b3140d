"""Every exercise: the untouched file does not pass, and the reference solution does."""

from functools import partial

import pytest

from forks import Fork
from workshop import exercises as grading
from workshop.exercises import all_exercises, checker, find, grade
from workshop.lessons import ROOT, all_pairs
from workshop.runner import run_script

EXERCISES = all_exercises()


def lesson_id(exercise) -> str:
    return f"{exercise.parent.parent.name}/{exercise.stem}"


exercises = pytest.mark.parametrize("exercise", EXERCISES, ids=lesson_id)


@pytest.fixture(autouse=True)
def forked(monkeypatch) -> None:
    """The checks run in forked processes, which saves the seconds of their imports."""
    monkeypatch.setattr(grading, "run_script", partial(run_script, launch=Fork))


@pytest.mark.thorough
@exercises
def test_the_untouched_file_does_not_pass(exercise, ray_alone) -> None:
    result = grade(exercise, env=ray_alone)
    assert not result.passed
    assert "the check itself failed" not in result.sentence
    assert len(result.sentence) <= 300


@exercises
def test_the_reference_solution_passes(exercise, ray_alone) -> None:
    solution = ROOT / "tests" / exercise.parent.parent.name / "solutions" / exercise.name
    result = grade(exercise, attempt=solution, env=ray_alone)
    assert result.passed, result.sentence


def test_every_lesson_has_an_exercise() -> None:
    lessons = {(pair.stage, pair.ray.name[:2]) for pair in all_pairs()}
    assert lessons == {(path.parent.parent.name, path.name[:2]) for path in EXERCISES}


def test_find() -> None:
    assert find("ray_core/01").name == "01_tasks.py"
    assert checker(find("ray_core/01")).is_file()
    with pytest.raises(LookupError, match="no exercise is called 'ray_core/99'"):
        find("ray_core/99")
