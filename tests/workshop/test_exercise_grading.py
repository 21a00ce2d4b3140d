"""A grade is one sentence, whatever an attempt does."""

import pytest

from workshop.exercises import grade

CHECK = """
def check(attempt):
    assert attempt.double(2) == 4, f"double(2) is 4, not {attempt.double(2)}"
    return "double(2) is 4"
"""


@pytest.mark.parametrize(
    ("attempt", "passed", "sentence"),
    [
        ("def double(n): return 2 * n", True, "double(2) is 4"),
        ("def double(n): return n", False, "double(2) is 4, not 2"),
        ("def double(n): raise NotImplementedError('hint')", False, "the gap is still there"),
        ("def double(n): return n / 0", False, "ZeroDivisionError: division by zero"),
        ("def double(n) return", False, "SyntaxError: expected ':'"),
        ("x = 1", False, "AttributeError"),
    ],
)
def test_one_sentence(tmp_path, attempt, passed, sentence) -> None:
    (tmp_path / "check_01_x.py").write_text(CHECK)
    (tmp_path / "01_x.py").write_text(attempt)
    result = grade(tmp_path / "01_x.py")
    assert result.passed is passed
    assert sentence in result.sentence and "\n" not in result.sentence
