"""Runs a lesson script, but main() gets the given arguments; prints, after all else, its result.

python tests/call_main.py ray_core/01_tasks_ray.py '{"images": 5}'
"""

import json
import runpy
import sys

import typer

if __name__ == "__main__":
    script, arguments = sys.argv[1:]
    sys.argv = [script]
    given = json.loads(arguments)
    typer.run = lambda main: print("RETURNED " + json.dumps(main(**given), default=str))
    runpy.run_path(script, run_name="__main__")
