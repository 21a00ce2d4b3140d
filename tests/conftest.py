"""One local Ray for all tests that can share it; scripts join it through RAY_ADDRESS."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

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


SHARED = SharedRay()


@dataclass(frozen=True)
class Call:
    """What main() of a lesson returned, and the run that it came from."""

    figures: dict
    run: Run


def called(run: Run) -> Call:
    assert run.exit_code == 0, run.error
    printed, _, returned = run.stdout.rpartition("RETURNED ")
    return Call(json.loads(returned), read_run(0, printed, run.stderr, run.wall_seconds))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need the machine's only Ray come last, so that the shared one starts once."""
    items.sort(key=lambda item: "ray_alone" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """A Ray that the person running the tests has at hand must not capture them."""
    os.environ.pop("RAY_ADDRESS", None)
    os.environ.pop("RAY_AUTH_MODE", None)
    yield
    SHARED.stop()


@pytest.fixture
def shared_ray() -> dict[str, str]:
    """The environment of the shared Ray."""
    return SHARED.env()


@pytest.fixture
def ray_alone() -> Iterator[dict[str, str]]:
    """The environment for a Ray of the script's own, with no other beside it."""
    SHARED.stop()
    folder = Path(tempfile.mkdtemp(prefix="rw", dir="/tmp"))
    yield {"RAY_TMPDIR": str(folder)}
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run(shared_ray: dict[str, str]) -> Callable[..., Run]:
    """run(script, *flags) on the shared Ray."""
    return lambda script, *flags, **more: run_script(
        script, *flags, env=shared_ray | more.pop("env", {}), **{"timeout": 150} | more
    )


@pytest.fixture
def call(shared_ray: dict[str, str]) -> Callable[..., Call]:
    """call(script, images=5) on the shared Ray: main's figures, in a process of its own."""
    return lambda script, **arguments: called(
        run_script(CALL_MAIN, script, json.dumps(arguments), env=shared_ray, timeout=150)
    )


@pytest.fixture
def run_alone(ray_alone: dict[str, str]) -> Callable[..., Run]:
    """run_alone(script, *flags): the script starts a Ray of its own."""
    return lambda script, *flags, **more: run_script(
        script, *flags, env=ray_alone | more.pop("env", {}), **{"timeout": 150} | more
    )


@pytest.fixture
def call_alone(ray_alone: dict[str, str]) -> Callable[..., Call]:
    """call_alone(script, images=5): main's figures, with a Ray of the script's own."""
    return lambda script, **arguments: called(
        run_script(CALL_MAIN, script, json.dumps(arguments), env=ray_alone, timeout=150)
    )
