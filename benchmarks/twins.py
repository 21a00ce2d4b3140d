"""What benchmarks share: a twin in a process of its own."""

import json
import os
import subprocess
import sys

from workshop.lessons import ROOT

CALL_MAIN = ROOT / "tests" / "call_main.py"


def returned(script: str, arguments: dict, env: dict[str, str] | None = None) -> dict:
    """What main(**arguments) of the script returned; a script that fails ends the benchmark."""
    command = [sys.executable, str(CALL_MAIN), script, json.dumps(arguments)]
    given = dict(capture_output=True, text=True, cwd=ROOT, env=os.environ | (env or {}))
    done = subprocess.run(command, check=False, **given)
    if done.returncode:
        sys.exit(f"{script} {arguments} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.rpartition("RETURNED ")[2].partition("\n")[0])
