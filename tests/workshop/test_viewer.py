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


def test_a_terminal_gets_colour_and_is_told_when_it_is_narrow() -> None:
    text = shown(force_terminal=True, width=100, color_system="truecolor")
    assert "\x1b[" in text and "Long lines are cut" in text
