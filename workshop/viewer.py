"""A pair side by side in the terminal, what Ray (or vLLM) changes highlighted."""

import re
from collections.abc import Callable

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from workshop.lessons import Pair, changed_lines, side_by_side

STYLES = {"~": "on #4a3f00", "+": "on #003a1a", "-": "on #4a0f14", " ": ""}
WIDTH_WHEN_PIPED = 203  # two columns of 100 and the mark between them
SIDE_BY_SIDE = 150  # columns; in a narrower terminal the twins' lines go below each other
NEW = re.compile(r"\s*# NEW:\s*(?P<why>.*)$")


def mark(left: str, right: str) -> str:
    """`~` changed, `+` only in the second twin, `-` only in the baseline."""
    if left == right:
        return " "
    return "~" if left and right else "+" if right else "-"


def without_new(line: str) -> str:
    """The line without its `# NEW:`, which the colour says already; a reason stays."""
    return NEW.sub(lambda found: f"  # {found['why']}" if found["why"] else "", line)


def beside(pair: Pair, console: Console, code: Callable[[str], Text]) -> None:
    grid = Table(pair.baseline.name, "", pair.ray.name, box=None, expand=True, pad_edge=False)
    for column in (grid.columns[0], grid.columns[2]):
        column.ratio, column.no_wrap, column.overflow = 1, True, "ellipsis"
    for left, right in side_by_side(pair):
        sign = mark(left, right)
        grid.add_row(code(left), sign, code(without_new(right)), style=STYLES[sign])
    console.print(grid)


def below(pair: Pair, console: Console, code: Callable[[str], Text]) -> None:
    console.print(f"- {pair.baseline.name}\n+ {pair.ray.name}\n", highlight=False)
    for left, right in side_by_side(pair):
        signs = {" ": ((" ", right),), "~": (("-", left), ("+", right))}
        sign = mark(left, right)
        for here, line in signs.get(sign, ((sign, left or right),)):
            console.print(Text(f"{here} ") + code(without_new(line)), style=STYLES[here])


def show_pair(pair: Pair, console: Console) -> None:
    """Prints the twins side by side, or, where that is too wide, the changes below each other."""
    if not console.is_terminal:
        console = Console(file=console.file, width=WIDTH_WHEN_PIPED)
    highlight = Syntax("", "python", theme="ansi_dark", background_color="default").highlight

    def code(line: str) -> Text:
        text = highlight(line) if console.is_terminal else Text(line)
        text.rstrip()
        return text

    (beside if console.width >= SIDE_BY_SIDE else below)(pair, console, code)
    where = "with vLLM" if pair.ray.stem.endswith("_vllm") else "on Ray"
    console.print(
        f"\n{pair.name}: {changed_lines(pair)} lines are new or changed {where}"
        " (module docstrings and blank lines apart).",
        highlight=False,
    )
    if console.width < SIDE_BY_SIDE:
        console.print(f"Side by side in a terminal of {SIDE_BY_SIDE} columns.", highlight=False)
