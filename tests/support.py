"""What the tests share: the local Ray that scripts join, and calls of a lesson's main()."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import ray

from workshop.lessons import ROOT
from workshop.runner import Run, read_run, run_script

CALL_MAIN = ROOT / "tests" / "call_main.py"
LOGICAL_CPUS = 8


class SharedRay:
    """A local Ray with eight logical CPUs that starts on first use and can be stopped."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    def env(self) -> dict[str, str]:
        """The environment in which a script joins it."""
        if not ray.is_initialized():
            self.folder = Path(tempfile.mkdtemp(prefix="rw", dir="/tmp"))
            ray.init(
                "local",
                num_cpus=LOGICAL_CPUS,
                object_store_memory=2_000_000_000,
                log_to_driver=False,
                _temp_dir=str(self.folder),
            )
        address = ray.get_runtime_context().gcs_address
        return {"RAY_ADDRESS": address, "RAY_AUTH_MODE": "token"}

    def stop(self) -> None:
        if ray.is_initialized():
            ray.shutdown()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


@dataclass(frozen=True)
class Call:
    """What main() of a lesson returned, and the run that it came from."""

    figures: dict
    run: Run


def call_main(script: str | Path, arguments: dict, env: dict[str, str], **more) -> Call:
    """Calls the script's main(**arguments) in a process of its own; more goes to run_script."""
    run = run_script(CALL_MAIN, script, json.dumps(arguments), env=env, **{"timeout": 150} | more)
    assert run.exit_code == 0, run.error
    printed, _, returned = run.stdout.rpartition("RETURNED ")
    returned = returned.partition("\n")[0]  # Ray may relay a line of its own even after it
    return Call(json.loads(returned), read_run(0, printed, run.stderr, run.wall_seconds))


SHARED = SharedRay()
