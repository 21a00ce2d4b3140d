"""`make bench`: medians of several runs of every pair, kept as JSON and as the README's table."""

import datetime
import json
import platform
import statistics
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console

from workshop.lessons import ROOT, Pair
from workshop.scoreboard import Row, run_pair, show_failures

FILE = ROOT / "benchmarks" / "scoreboard.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- scoreboard: written by make bench -->", "<!-- end of the scoreboard -->"


def machine() -> dict:
    """What the figures depend on."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "ray": version("ray"),
    }


def median_row(rows: list[Row]) -> dict:
    """Medians over the runs of one pair; the smallest and largest speed-up beside them."""

    def middle(value: Callable[[Row], float]) -> float:
        return round(statistics.median(map(value, rows)), 3)

    first = rows[0].as_json()
    return {
        "lesson": first["lesson"],
        "baseline_seconds": middle(lambda row: row.baseline.seconds),
        "ray_seconds": middle(lambda row: row.ray.seconds),
        "ready_seconds": middle(lambda row: row.ray.ready_seconds),
        "speedup": middle(lambda row: row.speedup),
        "speedup_range": [round(f(row.speedup for row in rows), 3) for f in (min, max)],
        "cold_speedup": middle(lambda row: row.cold),
        "changed_lines": first["changed_lines"],
    }


def markdown(record: dict) -> str:
    """The README's table, with the machine and the day of the measurement."""
    where = record["machine"]
    lines = [
        f"Medians of {record['runs']} runs, {record['date']}: {where['system']}, {where['cores']} "
        f"cores, {where['memory_gib']} GiB, Python {where['python']}, Ray {where['ray']}.",
        "",
        "| lesson | baseline | Ray | speed-up (range) | cold | ready | diff |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for pair in record["pairs"]:
        low, high = pair["speedup_range"]
        lines.append(
            f"| `{pair['lesson']}` | {pair['baseline_seconds']:.2f} s | {pair['ray_seconds']:.2f} s"
            f" | {pair['speedup']:.1f}x ({low:.1f}-{high:.1f}) | {pair['cold_speedup']:.1f}x"
            f" | {pair['ready_seconds']:.1f} s | {pair['changed_lines']} |"
        )
    return "\n".join(lines)


def in_readme(text: str, scoreboard: str) -> str:
    """The README's text with its scoreboard replaced; ValueError if the marks are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md lacks the lines '{BEGIN}' and '{END}'")
    return f"{before}{begin}\n{scoreboard}\n{end}{after}"


def bench(
    pairs: list[Pair], runs: int, console: Console, file: Path = FILE, readme: Path = README
) -> bool:
    """Measures the pairs and merges the medians into file and readme; False if a script failed.

    Pairs that are not measured now keep their figures only if machine and versions are the same.
    """
    measured = {}
    for pair in pairs:
        rows = []
        for run in range(1, runs + 1):
            console.print(f"{pair.name}, run {run} of {runs}", highlight=False)
            *_, row = run_pair(Row(pair), pitfalls=False)
            if not row.ok:
                show_failures(console, [row])
                return False
            rows.append(row)
        measured[pair.name] = median_row(rows)
        console.print(f"  {measured[pair.name]['speedup']:.1f}x", highlight=False)
    old = json.loads(file.read_text()) if file.exists() else {}
    if old.get("machine") == machine() and old.get("runs") == runs:
        measured = {pair["lesson"]: pair for pair in old["pairs"]} | measured
    record = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "runs": runs,
        "pairs": [measured[name] for name in sorted(measured)],
    }
    file.write_text(json.dumps(record, indent=2) + "\n")
    readme.write_text(in_readme(readme.read_text(), markdown(record)))
    return True
