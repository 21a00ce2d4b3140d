"""The project's own promises: its documents, its Makefile, and nothing in it that is private."""

import re
import subprocess
import sys

import pytest

from workshop.lessons import ROOT, all_pairs

READMES = sorted(path for path in ROOT.glob("[a-z]*/README.md"))
COMMAND = re.compile(r"python (\w+(?:/\w+)+\.py)")
MADE = {"vllm_examples/gsm8k/mine.py"}  # by who reads it
TARGET = re.compile(r"`?\bmake ([a-z]+(?:-[a-z]+)*)\b")


def documents() -> list:
    return [ROOT / "README.md", *READMES, ROOT / "vllm_examples/gsm8k/TASK.md"]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_only_what_exists(document) -> None:
    text = document.read_text()
    assert not [name for name in {*COMMAND.findall(text)} - MADE if not (ROOT / name).is_file()]
    code = "\n".join(re.findall(r"`[^`\n]+`|^    .+$", text, re.MULTILINE))
    assert not set(TARGET.findall(code)) - targets()
    links = re.findall(r"\]\((?!http)([^)#]+)", text)
    assert not [link for link in links if not (document.parent / link).exists()]


def test_every_lesson_is_in_its_readme_with_an_exercise() -> None:
    for pair in all_pairs():
        text = (ROOT / pair.stage / "README.md").read_text()
        assert f"\n## {pair.ray.name[:2]} " in text, pair.name
        assert f"make check EX={pair.stage}/{pair.ray.name[:2]}" in text, pair.name


def test_two_at_a_time_a_group_stays_in_one_process(tmp_path) -> None:
    """Else lessons would meet on one port. Not all versions of xdist do it."""
    many = "@pytest.mark.parametrize('n', range(8))"
    lines = "import pytest", "@pytest.mark.xdist_group('g')", many
    (tmp_path / "test_group.py").write_text("\n".join((*lines, "def test(n): pass\n")))
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist=loadgroup", "-v"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    workers = re.findall(r"^\[(gw\d)\]", run.stdout, re.MULTILINE)
    assert len(workers) == 8 and len(set(workers)) == 1, run.stdout[-2000:]


def test_every_target_has_a_line_in_the_help() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make ([a-z-]+) ", shown, re.MULTILINE)) == targets()


def test_no_index_is_named() -> None:
    """pip's own settings choose the index."""
    for name in ("pyproject.toml", "constraints.txt", "Makefile", "README.md", ".ci/run"):
        text = (ROOT / name).read_text()
        assert not re.search(r"--(extra-)?index-url|--find-links|^-i ", text, re.MULTILINE)
