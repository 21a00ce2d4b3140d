"""A forked script ends as one that python runs: output, exit code, what atexit has to do."""

import signal

import pytest

from forks import Fork
from workshop.runner import run_script

ENDS = {
    "": (0, ""),
    "sys.exit(3)": (3, ""),
    "1 / 0": (1, "ZeroDivisionError: division by zero"),
    "os.kill(os.getpid(), 9)": (-signal.SIGKILL, None),  # and nothing of atexit
}
SCRIPT = """
import atexit, os, sys
print(__name__, sys.argv[1:], os.environ["GIVEN"], os.getsid(0) == os.getpid())
atexit.register(print, "at exit")
"""


@pytest.mark.parametrize("end", ENDS, ids=["done", "exit", "error", "killed"])
def test_it_ends_as_python_would(end, tmp_path) -> None:
    (script := tmp_path / "script.py").write_text(SCRIPT + end)
    given = dict(env={"GIVEN": "this"}, cwd=tmp_path)
    forked, typed = (run_script(script, "a", **given, **how) for how in (dict(launch=Fork), {}))
    assert forked.stdout == typed.stdout
    assert forked.stdout.startswith("__main__ ['a'] this True")
    code, said = ENDS[end]
    assert forked.exit_code == typed.exit_code == code
    assert ("at exit" in forked.stdout) == (said is not None)
    assert (said or "") in forked.stderr
