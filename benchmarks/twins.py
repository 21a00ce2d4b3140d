"""What the benchmarks of ray_tune share: a twin in a process of its own."""

import json
import subprocess
import sys

from workshop.lessons import ROOT

CALL_MAIN = ROOT / "tests" / "call_main.py"


def returned(script: str, arguments: dict) -> dict:
    """What main(**arguments) of the script returned; a script that fails ends the benchmark."""
    command = [sys.executable, str(CALL_MAIN), script, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{script} {arguments} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.rpartition("RETURNED ")[2].partition("\n")[0])
