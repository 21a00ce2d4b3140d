"""The lessons of this repository, found by file name, and what Ray changes in each."""

import ast
import difflib
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("ray_core", "ray_data", "ray_train", "ray_tune", "ray_serve", "vllm_examples")
TOUR_OF_CORE = 3
LLM = "vllm_examples"  # the stage with an environment of its own
LLM_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
ALIKE = 0.5  # share of words in common from which on two lines are one line that was changed


@dataclass(frozen=True)
class Pair:
    """One lesson: the program as you would have written it, and the same on Ray (or on vLLM)."""

    baseline: Path
    ray: Path
    pitfalls: tuple[Path, ...] = ()

    @property
    def stage(self) -> str:
        return self.ray.parent.name

    @property
    def name(self) -> str:
        """Such as "ray_core/01_tasks"."""
        return f"{self.stage}/{self.ray.stem.rpartition('_')[0]}"


def python_of(script: str | Path) -> str:
    """The interpreter that runs a script: vLLM's environment for its stage, else this one."""
    return str(LLM_PYTHON) if LLM in Path(script).parts else sys.executable


def all_pairs(root: Path = ROOT) -> list[Pair]:
    """Every pair below root, in the order of the stages and of the file names."""
    pairs = []
    for stage in STAGES:
        for ray in sorted((root / stage).glob("[0-9]*.py")):
            stem, _, kind = ray.stem.rpartition("_")
            if kind not in ("ray", "vllm"):
                continue
            pitfalls = tuple(sorted(ray.parent.glob(f"{stem}_pitfall*.py")))
            pairs.append(Pair(ray.with_name(f"{stem}_baseline.py"), ray, pitfalls))
    return pairs


def tour(pairs: list[Pair]) -> list[Pair]:
    """The first three lessons of ray_core and the first of every other stage."""
    chosen = []
    for stage in STAGES:
        here = [pair for pair in pairs if pair.stage == stage]
        chosen += here[: TOUR_OF_CORE if stage == "ray_core" else 1]
    return chosen


def select(names: list[str], pairs: list[Pair]) -> list[Pair]:
    """The pairs that the names mean: a stage ("ray_core") or a lesson ("ray_core/01").

    No name means the tour. Raises LookupError for a name that means nothing.
    """
    if not names:
        return tour(pairs)
    chosen = []
    for name in (name.strip("/") for name in names):
        found = [p for p in pairs if p.stage == name or ("/" in name and p.name.startswith(name))]
        if not found:
            stages = ", ".join(dict.fromkeys(pair.stage for pair in pairs))
            raise LookupError(
                f"no lesson is called '{name}': give a stage ({stages}) or a lesson (ray_core/01)"
            )
        chosen += [pair for pair in found if pair not in chosen]
    return chosen


def code_lines(path: Path) -> list[str]:
    """The lines of a script without its docstring and without blank lines."""
    text = path.read_text()
    tree, lines = ast.parse(text), text.splitlines()
    first = tree.body[0].end_lineno if tree.body and ast.get_docstring(tree) is not None else 0
    return [line.rstrip() for line in lines[first:] if line.strip()]


def paired(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    """Lines that replaced each other, side by side where they are alike, in their order."""
    rows, start = [], 0
    for line in old:
        alike = [
            k
            for k in range(start, len(new))
            if difflib.SequenceMatcher(a=line.split(), b=new[k].split()).ratio() >= ALIKE
        ]
        if alike:
            rows += [("", added) for added in new[start : alike[0]]]
            rows.append((line, new[alike[0]]))
            start = alike[0] + 1
        else:
            rows.append((line, ""))
    return rows + [("", added) for added in new[start:]]


def side_by_side(pair: Pair) -> list[tuple[str, str]]:
    """Rows of (baseline line, Ray line); an empty one where the other twin has none like it."""
    old, new = code_lines(pair.baseline), code_lines(pair.ray)
    rows, matcher = [], difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for _, i, i_end, j, j_end in matcher.get_opcodes():
        rows += paired(old[i:i_end], new[j:j_end])
    return rows


def changed_lines(pair: Pair) -> int:
    """How many lines of the Ray twin are new or changed, its docstring and blank lines apart."""
    return sum(1 for left, right in side_by_side(pair) if right and left != right)
