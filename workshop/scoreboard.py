"""Runs pairs of lessons as an attendee would and compares the twins on a live table."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from workshop.lessons import LLM, ROOT, Pair, changed_lines
from workshop.runner import Run, run_script

COLUMNS = ("lesson", "baseline", "Ray", "speed-up", "cold", "ready", "diff", "same answer")
LEGEND = (
    "baseline, Ray: seconds of work. speed-up: baseline / Ray. ready: seconds before it.\n"
    "cold: speed-up with the time to get ready counted in. diff: lines that Ray changes."
)


@dataclass
class Row:
    """One pair and its runs so far; speedup and cold are ratios of seconds, baseline / Ray."""

    pair: Pair
    baseline: Run | None = None
    ray: Run | None = None
    pitfalls: dict[str, Run] = field(default_factory=dict)
    running: str = ""

    @property
    def done(self) -> bool:
        return self.baseline is not None and self.ray is not None and not self.running

    @property
    def same_answer(self) -> bool:
        return bool(self.twins_ok and self.baseline.answer == self.ray.answer)

    @property
    def twins_ok(self) -> bool:
        return bool(self.baseline and self.ray and self.baseline.ok and self.ray.ok)

    @property
    def ok(self) -> bool:
        return self.same_answer and all(run.ok for run in self.pitfalls.values())

    @property
    def speedup(self) -> float | None:
        return self.baseline.seconds / max(self.ray.seconds, 0.005) if self.twins_ok else None

    @property
    def cold(self) -> float | None:
        if not self.twins_ok:
            return None
        before, after = (run.seconds + run.ready_seconds for run in (self.baseline, self.ray))
        return before / max(after, 0.005)

    def failures(self) -> list[tuple[str, Run]]:
        """The name and the run of every script of this pair that did not end well."""
        runs = {
            self.pair.baseline.name: self.baseline,
            self.pair.ray.name: self.ray,
            **self.pitfalls,
        }
        return [(name, run) for name, run in runs.items() if run and not run.ok]

    def as_json(self) -> dict:
        return {
            "lesson": self.pair.name,
            "baseline": as_json(self.baseline),
            "ray": as_json(self.ray),
            "pitfalls": [{"script": name, **as_json(run)} for name, run in self.pitfalls.items()],
            "same_answer": self.same_answer,
            "speedup": self.speedup,
            "cold_speedup": self.cold,
            "changed_lines": changed_lines(self.pair),
        }


def as_json(run: Run) -> dict:
    names = ("exit_code", "seconds", "ready_seconds", "items", "unit", "answer")
    return {name: getattr(run, name) for name in names}


def run_pair(row: Row, pitfalls: bool = True) -> Iterator[Row]:
    """Runs baseline, Ray twin and pitfalls with default flags; yields the row at every change.

    The stage of vLLM gets its environment only now, so that nobody waits for it before.
    """
    if row.pair.stage == LLM:
        row.running = "setup-vllm"
        yield row
        how = dict(cwd=ROOT, capture_output=True, text=True, check=False)
        made = subprocess.run(["make", "setup-vllm"], **how)
        if made.returncode:
            row.baseline = Run(made.returncode, made.stdout, made.stderr, 0.0)
            row.ray = Run(made.returncode, "", "make setup-vllm failed", 0.0)
            row.running = ""
            yield row
            return
    for attribute in ("baseline", "ray"):
        script = getattr(row.pair, attribute)
        row.running = script.name
        yield row
        setattr(row, attribute, run_script(script.relative_to(ROOT)))
    for script in row.pair.pitfalls if pitfalls else ():
        row.running = script.name
        yield row
        row.pitfalls[script.name] = run_script(script.relative_to(ROOT))
    row.running = ""
    yield row


def cells(row: Row) -> list[str]:
    def seconds(run: Run | None) -> str:
        return "" if run is None else f"{run.seconds:.2f} s" if run.ok else "failed"

    def ratio(value: float | None) -> str:
        return "" if value is None else f"{value:.1f}x"

    ready = f"{row.ray.ready_seconds:.1f} s" if row.ray and row.ray.ok else ""
    running = row.running.rpartition("_")[2].removesuffix(".py")
    verdict = ("yes" if row.same_answer else "NO") if row.done else running and f"... {running}"
    changed = str(changed_lines(row.pair)) if row.done else ""
    numbers = [seconds(row.baseline), seconds(row.ray), ratio(row.speedup), ratio(row.cold)]
    return [row.pair.name, *numbers, ready, changed, verdict]


def table(rows: list[Row]) -> Table:
    grid = Table(*COLUMNS, caption=LEGEND, caption_justify="left")
    for column in grid.columns[1:-1]:
        column.justify = "right"
        column.no_wrap = True
    for row in rows:
        good = row.done and row.ok
        grid.add_row(*cells(row), style="" if not row.done else "green" if good else "red")
    return grid


def plain(values: list[str] | tuple[str, ...]) -> str:
    widths = (26, 9, 9, 9, 7, 8, 5)
    first, *numbers, last = values
    columns = (f"{n:>{w}}" for n, w in zip(numbers, widths[1:], strict=True))
    return f"{first:<{widths[0]}}" + "".join(columns) + f"  {last}"


def show_failures(console: Console, rows: list[Row]) -> None:
    for row in rows:
        for name, run in row.failures():
            console.print(f"\n{row.pair.stage}/{name} failed (exit code {run.exit_code}):")
            console.print(run.error, markup=False, highlight=False)
        if row.twins_ok and not row.same_answer:
            console.print(
                f"\n{row.pair.name}: the twins disagree: the baseline says {row.baseline.answer}, "
                f"Ray says {row.ray.answer}."
            )


def scoreboard(pairs: list[Pair], console: Console, json_file: Path | None = None) -> bool:
    """Runs the pairs one after another and shows them; True if all went well and agreed."""
    rows = [Row(pair) for pair in pairs]
    live = console.is_terminal
    screen = Live(console=console, refresh_per_second=4) if live else nullcontext()
    if not live:
        print(plain(COLUMNS), flush=True)
    with screen:
        for done, current in enumerate(rows, start=1):
            for row in run_pair(current):
                if live:
                    screen.update(table(rows))
                elif row.done:
                    print(plain(cells(row)), flush=True)
            if json_file:
                json_file.write_text(
                    json.dumps([row.as_json() for row in rows[:done]], indent=2) + "\n"
                )
    if not live:
        print(LEGEND)
    show_failures(console, rows)
    return all(row.ok for row in rows)
