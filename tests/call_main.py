"""Runs a lesson script, but main() gets the given arguments; prints, after all else, its result.

python tests/call_main.py ray_core/01_tasks_ray.py '{"images": 5}'
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import typer


def called(main: Callable) -> None:
    paths = [name for name, kind in get_type_hints(main).items() if kind is Path]
    typed = {name: Path(value) if name in paths else value for name, value in given.items()}
    print("RETURNED " + json.dumps(main(**typed), default=str))


if __name__ == "__main__":
    script, arguments = sys.argv[1:]
    sys.argv = [script]
    sys.path[0] = str(Path(script).parent)
    given = json.loads(arguments)
    typer.run = called
    code = compile(Path(script).read_text(), script, "exec")
    __file__ = script  # processes that the script spawns load it again from here
    exec(code)  # noqa: S102
