"""What every lesson script promises, whatever it is about; scripts are found by file name."""

import ast
import math
import re
import socket
from pathlib import Path

import pytest

from support import (
    SHARED,
    as_attendee,
    call_main,
    flags_of,
    invoke,
    main_of,
    refusal,
    size_flag,
    slowness,
)
from workshop import web
from workshop.lessons import ROOT, STAGES, Pair, all_pairs, code_lines
from workshop.runner import own_lines

PAIRS = all_pairs()
SCRIPTS = sorted(path for stage in STAGES for path in (ROOT / stage).glob("[0-9]*.py"))
LIMITS = {"ray_train": 160, "ray_tune": 150, "ray_serve": 160, "vllm_examples": 160}
SECONDS = 60  # DESIGN: a script runs in under 60 s on two cores, such as those of slowness()
LONGER = {"vllm_examples/04_openai_ray.py": 100}  # five processes import vLLM, one after another
# Services that take a minute to start: their tests ask them other questions while they are held.
HELD = ("vllm_examples/04_openai", "vllm_examples/04_engine")
NO_IMPORTS_OF_OURS = ("ray_core", "ray_data")
DEPRECATED = re.compile(r"^.*\bRay\w*Deprecat\w*Warning\b.*$", re.MULTILINE)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_ours(path: Path) -> bool:
    """Whether the script is a twin or a pitfall of a pair; anything else has no place here."""
    return any(path in (pair.baseline, pair.ray, *pair.pitfalls) for pair in PAIRS)


def documented_answer(path: Path) -> str:
    return re.search(r"Last line.*, answer (\S+)", path.read_text())[1]


def alike(answer: str, documented: str) -> bool:
    """Equal; a loss, written as a decimal number, may differ a little on another processor.

    What is left of it after training differs most: 0.0077 with AVX-512 is 0.0127 with AVX2.
    """
    if answer == documented or not re.fullmatch(r"\d+\.\d+", answer):
        return answer == documented
    return math.isclose(float(answer), float(documented), rel_tol=0.1, abs_tol=0.01)


# A run of half a minute or more, in which there is no Ray: its answer is that of its Ray twin.
BY_HAND = ("ray_train", "ray_tune")
RUN = [
    pytest.param(
        path,
        id=relative(path),
        marks=[pytest.mark.thorough]
        if path.parent.name in BY_HAND and path.stem.endswith("_baseline")
        else [],
    )
    for path in SCRIPTS
]
scripts = pytest.mark.parametrize("path", SCRIPTS, ids=relative)
pairs = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)


def test_there_are_lessons() -> None:
    assert len(PAIRS) >= 3


@scripts
def test_shape(path: Path) -> None:
    assert is_ours(path), "neither a twin with a partner nor the pitfall of a pair"
    text = path.read_text()
    lines = text.splitlines()
    assert len(lines) <= LIMITS.get(path.parent.name, 100), "will not fit a projector"
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert f"python {relative(path)}" in docstring, "the docstring names the exact command"
    assert re.search(r"Last line.*, answer \S+", docstring), "the docstring shows the last line"
    assert "seed" in flags_of(path), "every lesson is seeded"
    assert ast.get_docstring(main_of(path)), "main's docstring is the text of --help"
    assert lines[-2:] == ['if __name__ == "__main__":', "    typer.run(main)"]
    if path.parent.name in NO_IMPORTS_OF_OURS:
        assert not re.search(r"^\s*(from|import) (workshop|tests)\b", text, re.MULTILINE)


@scripts
def test_a_module_and_a_section(path: Path) -> None:
    """Every lesson has a test module of its own and a section in its stage's README."""
    lesson = re.sub(r"_(baseline|ray|vllm|pitfall\w*)$", "", path.stem)
    assert (ROOT / "tests" / path.parent.name / f"test_{lesson}.py").is_file()
    assert path.name in (path.parent / "README.md").read_text()


@scripts
def test_help_and_bad_input(path: Path) -> None:
    """Needs no Ray: nothing starts before the flags have been looked at."""
    size = f"--{size_flag(path)[0].replace('_', '-')}"
    code, shown = invoke(path, "--help")
    assert code == 0 and size in shown
    refusal(path, "--no-such-flag")
    refusal(path, size, "0")


@pytest.mark.parametrize("path", [p for p in SCRIPTS if "port" in flags_of(p)], ids=relative)
def test_a_port_that_is_taken_or_none(path: Path) -> None:
    with socket.create_server((web.HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} cannot be had" in refusal(path, "--port", port)
    for port in ("0", "99999"):
        assert "cannot be had" in refusal(path, "--port", port)


@pytest.mark.parametrize("path", RUN)
def test_runs_as_an_attendee_runs_it(path: Path) -> None:
    result = as_attendee(path).run
    limit = LONGER.get(relative(path), SECONDS)
    if result.wall_seconds > limit:
        limit *= slowness()
    assert result.ok, result.error
    assert result.items > 0
    promised = documented_answer(path)
    assert alike(result.answer, promised), "the docstring promises another answer"
    assert result.wall_seconds < limit
    assert not DEPRECATED.findall(result.stdout + result.stderr)
    assert max(map(len, own_lines(result.stdout))) <= 100, "wider than 100 columns"
    if path.stem.endswith(("_ray", "_vllm")):
        assert result.ready_seconds > 0


@pairs
def test_twins_look_alike(pair: Pair) -> None:
    old, new = flags_of(pair.baseline), flags_of(pair.ray)
    assert {name: old.get(name) for name in new} == new, "a flag of the Ray twin is not its twin's"
    assert documented_answer(pair.baseline) == documented_answer(pair.ray)
    assert not [line for line in code_lines(pair.baseline) if "# NEW:" in line]
    before = set(code_lines(pair.baseline))
    marked = [line for line in code_lines(pair.ray) if "# NEW:" in line]
    assert marked, "the Ray twin marks what is new"
    wrong = [line for line in marked if line in before]
    assert not wrong, f"marked as new, but the same in the baseline: {wrong}"


@pytest.mark.thorough  # all other tests read the run of an attendee
@pytest.mark.parametrize("pair", [p for p in PAIRS if p.name not in HELD], ids=lambda p: p.name)
def test_same_answer_for_another_seed_and_size(pair: Pair) -> None:
    twins = []
    for script in (pair.baseline, pair.ray):
        name, default = size_flag(script)
        twin = call_main(script, {name: default // 2 + 1, "seed": 7}, SHARED.env())
        assert {"items", "unit", "seconds", "ready_seconds", "answer"} <= set(twin.figures)
        assert twin.run.answer == str(twin.figures["answer"]), "printed and returned differ"
        assert twin.run.items == twin.figures["items"]
        twins.append(twin)
    assert twins[0].run.answer == twins[1].run.answer
    assert twins[0].run.answer != documented_answer(pair.ray), "the answer ignores seed and size"
