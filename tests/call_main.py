"""Runs a lesson script, but main() gets the given arguments; prints, after all else, its result.

python tests/call_main.py ray_core/01_tasks_ray.py '{"images": 5}'
"""

import json
import sys
from pathlib import Path

import typer

if __name__ == "__main__":
    script, arguments = sys.argv[1:]
    sys.argv = [script]
    sys.path[0] = str(Path(script).parent)
    given = json.loads(arguments)
    typer.run = lambda main: print("RETURNED " + json.dumps(main(**given), default=str))
    code = compile(Path(script).read_text(), script, "exec")
    __file__ = script  # processes that the script spawns load it again from here
    exec(code)  # noqa: S102
