"""What benchmarks share: a twin in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from workshop.lessons import ROOT

CALL_MAIN = ROOT / "tests" / "call_main.py"
HAPROXY = {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1"}


def returned(script: str, arguments: dict, env: dict[str, str] | None = None) -> dict:
    """What main(**arguments) of the script returned; a script that fails ends the benchmark."""
    command = [sys.executable, str(CALL_MAIN), script, json.dumps(arguments)]
    given = dict(capture_output=True, text=True, cwd=ROOT, env=os.environ | (env or {}))
    done = subprocess.run(command, check=False, **given)
    if done.returncode:
        sys.exit(f"{script} {arguments} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.rpartition("RETURNED ")[2].partition("\n")[0])


def uvicorn_and_serve(lesson: str, arguments: dict, haproxy: bool) -> Iterator[tuple[str, dict]]:
    """What each twin of a lesson of ray_serve returned; other answers end the benchmark."""
    answers = set()
    for server, twin, env in (("uvicorn", "baseline", {}), ("Serve", "ray", HAPROXY)):
        script = str(ROOT / f"ray_serve/{lesson}_{twin}.py")
        made = returned(script, arguments, env if haproxy else {})
        answers.add(made["answer"])
        yield server, made
    if len(answers) > 1:
        sys.exit(f"the twins disagree: {answers}")
