"""Fixtures: scripts on one local Ray that all tests share, or each with a Ray of its own."""

import fcntl
import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import LOCKS, MACHINE, SHARED, Call, call_main
from workshop import adapters, samples
from workshop.lessons import LLM
from workshop.runner import Run, run_script

LESSON = re.compile(r"(ray_[a-z]+|vllm_examples)/(?:\w+/)*(?:test_)?(\d\d)")


WITH_VLLM = importlib.util.find_spec("vllm") is not None
FOR_ALL = ("test_contract.py", "test_exercises.py")
STORY = f"{LLM}/07"  # it begins: a service that another test held up would slow it down
SERVED = f"{LLM}/04"  # its tests ask what an attendee's run holds up, and so make that run
NEED_NO_ENGINE = ("shape", "a_module", "help_and", "a_port", "twins_look_alike")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """In .venv all but the stage that needs vLLM, in .venv-vllm that one."""
    if collection_path.suffix != ".py" or collection_path.name in FOR_ALL:
        return None
    return None if (LLM in collection_path.parts) == WITH_VLLM else True


def group(item: pytest.Item) -> str:
    """The lesson of a test, or else its module; such tests run in one process, in their order, but
    those that measure begin: a run of a script that had the machine to itself serves all others.

    All of ray_serve is one group, since its scripts listen on the same port. Tests that need the
    machine's only Ray form groups of their own, so that a shared one, once started, serves many.
    """
    lesson = LESSON.search(f"{item.name} {item.nodeid}")
    name = "/".join(lesson.groups()) if lesson else item.path.stem
    name = "ray_serve" if name.startswith("ray_serve") else name
    return f"{name} alone" if "ray_alone" in getattr(item, "fixturenames", ()) else name


def stage(item: pytest.Item | None) -> str | None:
    lesson = item and LESSON.search(f"{item.name} {item.nodeid}")
    return lesson[1] if lesson else None


def measures(item: pytest.Item) -> bool:
    return item.get_closest_marker("measures") is not None


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    quick = tuple(f"test_{name}" for name in NEED_NO_ENGINE)
    here = [
        item
        for item in items
        if (LLM in item.nodeid) == WITH_VLLM or (LLM in item.nodeid and item.name.startswith(quick))
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in here])
    items[:] = here
    groups = [group(item) for item in items]
    order = sorted(dict.fromkeys(groups), key=lambda name: (name != STORY, " alone" in name))

    def place(item: pytest.Item) -> tuple[int, bool]:
        if group(item) == SERVED:
            return order.index(SERVED), item.name.startswith("test_runs_as_an_attendee")
        return order.index(group(item)), not measures(item)

    items.sort(key=place)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))


@pytest.hookimpl(trylast=True)  # after pytest has noted what failed
def pytest_sessionfinish(session: pytest.Session) -> None:
    """For --last-failed: xdist writes the group behind the name of a test."""
    cache = session.config.cache
    failed = cache.get("cache/lastfailed", {})
    cache.set("cache/lastfailed", {re.sub(r"@[^]@]*$", "", name): True for name in failed})


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Tests may run two at a time, but one that is marked `measures` has the machine to itself.

    The shared Ray serves one stage: what watches its logs takes the longer, the more there are.
    """
    with MACHINE.held(alone=measures(item)):
        done = yield
    if stage(item) != stage(nextitem):
        SHARED.stop()
    return done


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """A Ray that the person running the tests has at hand must not capture them."""
    os.environ.pop("RAY_ADDRESS", None)
    os.environ.pop("RAY_AUTH_MODE", None)
    os.environ |= {"RAY_worker_niceness": "0"}  # of two tests, the one on Ray would starve
    yield
    SHARED.stop()


@pytest.fixture(scope="session", autouse=True)
def sample_data() -> None:
    """What `make samples` makes, for a pytest that was not called by make; for vllm_examples
    the adapters, whose training on first use takes longer than a lesson may.
    """
    LOCKS.mkdir(exist_ok=True)
    with (LOCKS / "samples").open("w") as lock:  # the other process finds all of it done
        fcntl.flock(lock, fcntl.LOCK_EX)
        if WITH_VLLM:
            for form in adapters.FORMS:
                adapters.cached(form)
        else:
            samples.everything()


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


def runs(environment: dict[str, str]) -> Callable[..., Run]:
    return lambda script, *flags, env=None, **more: run_script(
        script, *flags, env=environment | (env or {}), **{"timeout": 150} | more
    )


def calls(environment: dict[str, str]) -> Callable[..., Call]:
    return lambda script, **arguments: call_main(script, arguments, environment)


@pytest.fixture
def run(shared_ray: dict[str, str]) -> Callable[..., Run]:
    """run(script, *flags, env={}, timeout=150) on the shared Ray."""
    return runs(shared_ray)


@pytest.fixture
def call(shared_ray: dict[str, str]) -> Callable[..., Call]:
    """call(script, images=5) on the shared Ray: what main(images=5) returned, and its run."""
    return calls(shared_ray)


@pytest.fixture
def run_alone(ray_alone: dict[str, str]) -> Callable[..., Run]:
    """run_alone(script, *flags): the script starts a Ray of its own, the only one."""
    return runs(ray_alone)


@pytest.fixture
def call_alone(ray_alone: dict[str, str]) -> Callable[..., Call]:
    """call_alone(script, images=5): like call, with a Ray of the script's own, the only one."""
    return calls(ray_alone)
