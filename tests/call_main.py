"""Runs a lesson script and prints, after all else, what its main() returned.

python tests/call_main.py ray_core/01_tasks_ray.py                  # as typed without flags
python tests/call_main.py ray_core/01_tasks_ray.py '{"images": 5}'  # main(images=5)
"""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import typer

typed = typer.run


def called(main: Callable) -> None:
    @functools.wraps(main)
    def told(**flags) -> None:
        print("RETURNED " + json.dumps(main(**flags), default=str))

    if not given:
        typed(told)
        return
    arguments = json.loads(given[0])
    paths = [name for name, kind in get_type_hints(main).items() if kind is Path]
    told(**{name: Path(value) if name in paths else value for name, value in arguments.items()})


if __name__ == "__main__":
    script, *given = sys.argv[1:]
    sys.argv = [script]
    sys.path[0] = str(Path(script).parent)
    typer.run = called
    code = compile(Path(script).read_text(), script, "exec")
    __file__ = script  # processes that the script spawns load it again from here
    exec(code)  # noqa: S102
