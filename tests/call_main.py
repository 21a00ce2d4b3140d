"""Runs a lesson script and prints, after all else, what its main() returned.

python tests/call_main.py ray_core/01_tasks_ray.py                  # as typed without flags
python tests/call_main.py ray_core/01_tasks_ray.py '{"images": 5}'  # main(images=5)
LOADED=FILE python tests/call_main.py vllm_examples/04_openai_ray.py  # see held_after_its_load
"""

import functools
import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import typer

typed = typer.run


def held_after_its_load(ask_all: Callable, file: Path) -> Callable:
    """After its second load, the measured one, main waits as long as there is FILE, in which stand
    the URL and the load's seconds: so its service can be asked other things.
    """
    loads = itertools.count(1)

    @functools.wraps(ask_all)
    def asked(url: str, *given):
        load = ask_all(url, *given)
        if next(loads) == 2:
            begun = file.with_suffix(".begun")
            begun.write_text(json.dumps(dict(url=url, seconds=load.seconds)))
            begun.rename(file)
            while file.exists():
                time.sleep(0.1)
        return load

    return asked


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
    if "LOADED" in os.environ:
        from workshop import chats

        chats.ask_all = held_after_its_load(chats.ask_all, Path(os.environ["LOADED"]))
    code = compile(Path(script).read_text(), script, "exec")
    __file__ = script  # processes that the script spawns load it again from here
    exec(code)  # noqa: S102
