"""The side-by-side view shows both twins, the marks and the count."""

import io

from rich.console import Console

from workshop.lessons import all_pairs, changed_lines, select
from workshop.viewer import show_pair


def shown(**console) -> str:
    (pair,) = select(["ray_core/01"], all_pairs())
    out = io.StringIO()
    show_pair(pair, Console(file=out, **console))
    return out.getvalue()


def test_piped_lines_are_whole_and_without_colour() -> None:
    text = shown()
    assert "\x1b[" not in text
    assert "results = [invert(photo, seconds) for photo in photos]" in text
    assert "# NEW:" not in text
    (pair,) = select(["ray_core/01"], all_pairs())
    marked = [line for line in text.splitlines() if " ~  " in line or " +  " in line]
    assert len(marked) == changed_lines(pair)
    assert f"{changed_lines(pair)} lines are new or changed" in text


def test_a_wide_terminal_gets_colour_and_both_twins_in_a_line() -> None:
    text = shown(force_terminal=True, width=200, color_system="truecolor")
    assert "\x1b[" in text and "Side by side in a terminal" not in text


def test_in_a_narrow_one_the_changes_stand_below_each_other() -> None:
    text = shown(force_terminal=True, width=100, color_system=None)
    assert "Side by side in a terminal of 150 columns" in text
    assert max(map(len, text.splitlines())) <= 102
    added = [line for line in text.splitlines() if line.startswith("+ ")]
    (pair,) = select(["ray_core/01"], all_pairs())
    assert len(added) == changed_lines(pair) + 1, "the changed lines and the name of the file"
