"""The README's scoreboard is what was measured, and only that is replaced."""

import json

import pytest
from rich.console import Console

from workshop import bench
from workshop.lessons import ROOT, Pair
from workshop.runner import Run

PAIR = Pair(ROOT / "ray_core/01_tasks_baseline.py", ROOT / "ray_core/01_tasks_ray.py")


def measure(monkeypatch, tmp_path, seconds) -> str:
    """The README after a bench in which the Ray twin took the given seconds."""
    left = iter(seconds)

    def run_pair(row, pitfalls):
        row.baseline = Run(0, "", "", 8.0, 8, "images", 8.0, 0.0, "7")
        row.ray = Run(0, "", "", 8.0, 8, "images", next(left), 4.0, "7")
        yield row

    monkeypatch.setattr(bench, "run_pair", run_pair)
    readme, file = tmp_path / "README.md", tmp_path / "scoreboard.json"
    readme.write_text(f"before\n{bench.BEGIN}\nold figures\n{bench.END}\nafter\n")
    quiet = Console(quiet=True)
    assert bench.bench([PAIR], len(seconds), quiet, file, readme)
    assert json.loads(file.read_text())["pairs"][0]["lesson"] == "ray_core/01_tasks"
    return readme.read_text()


def test_medians_and_their_range(monkeypatch, tmp_path) -> None:
    text = measure(monkeypatch, tmp_path, [1.0, 4.0, 2.0])
    row = "| `ray_core/01_tasks` | 8.00 s | 2.00 s | 4.0x (2.0-8.0) | 1.3x | 4.0 s | 14 |"
    assert row in text.splitlines()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old figures" not in text


def test_a_readme_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the lines"):
        bench.in_readme("no marks", "table")


def test_the_readme_shows_the_last_measurement() -> None:
    record = json.loads(bench.FILE.read_text())
    assert bench.markdown(record) in bench.README.read_text()
