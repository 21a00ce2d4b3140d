"""A pair side by side in the terminal, what Ray changes highlighted."""

import re

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from workshop.lessons import Pair, changed_lines, side_by_side

STYLES = {"~": "on #4a3f00", "+": "on #003a1a", "-": "on #4a0f14", " ": ""}
WIDTH_WHEN_PIPED = 203  # two columns of 100 and the mark between them
NEW = re.compile(r"\s*# NEW:\s*(?P<why>.*)$")


def mark(tag: str, left: str, right: str) -> str:
    if tag == "equal":
        return " "
    return "~" if left and right else "+" if right else "-"


def without_new(line: str) -> str:
    """The line without its `# NEW:`, which the colour says already; a reason stays."""
    return NEW.sub(lambda found: f"  # {found['why']}" if found["why"] else "", line)


def show_pair(pair: Pair, console: Console) -> None:
    """Prints the twins side by side: `~` changed, `+` only on Ray, `-` only in the baseline."""
    highlight = Syntax("", "python", theme="ansi_dark", background_color="default").highlight
    grid = Table(pair.baseline.name, "", pair.ray.name, box=None, expand=True, pad_edge=False)
    for column in (grid.columns[0], grid.columns[2]):
        column.ratio, column.no_wrap, column.overflow = 1, True, "ellipsis"
    longest = 0
    for tag, left, right in side_by_side(pair):
        cells = []
        for line in (left, without_new(right)):
            cells.append(highlight(line) if console.is_terminal else Text(line))
            cells[-1].rstrip()
            longest = max(longest, len(line))
        sign = mark(tag, left, right)
        grid.add_row(cells[0], sign, cells[1], style=STYLES[sign])
    if not console.is_terminal:
        console = Console(file=console.file, width=WIDTH_WHEN_PIPED)
    console.print(grid)
    if console.is_terminal and console.width < 2 * longest + 3:
        console.print(
            f"\nLong lines are cut: {2 * longest + 3} columns show them whole.", highlight=False
        )
    console.print(
        f"\n{pair.name}: {changed_lines(pair)} lines are new or changed on Ray"
        " (module docstrings and blank lines apart).",
        highlight=False,
    )
