"""The graph grows with the picture, the tree is as deep as a tree, and the driver gets one sum."""

import json
import math
import runpy
import time
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from ray.util.state import list_tasks

from support import SHARED
from workshop.lessons import ROOT
from workshop.runner import run_script

LESSON = runpy.run_path(str(ROOT / "ray_core/07_graph_baseline.py"))
RAY = "ray_core/07_graph_ray.py"
SMALL = {"photos": 8, "tile": 64}
WARM_UP = 16
# Runs the lesson, but keeps an eye on what the driver fetches.
WATCHED = """
import json, runpy, sys
import numpy as np, ray, typer
get, fetched = ray.get, []
def watch(values):
    if isinstance(values, np.ndarray):
        fetched.append(values.nbytes)
    elif isinstance(values, (list, tuple)):
        for value in values:
            watch(value)
def watched_get(refs, **more):
    values = get(refs, **more)
    watch(values)
    return values
ray.get = watched_get
def run(main):
    figures = main(**json.loads(sys.argv[2]))
    job = ray.get_runtime_context().get_job_id()
    print("WATCHED " + json.dumps(figures | {"fetched": fetched, "job": job}))
typer.run = run
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> dict:
    """What main() returned, the sizes of the arrays that the driver fetched, and the job."""
    harness = tmp_path_factory.mktemp("graph") / "watched.py"
    harness.write_text(WATCHED)
    run = run_script(harness, str(ROOT / RAY), json.dumps(SMALL), env=SHARED.env(), timeout=150)
    assert run.exit_code == 0, run.error
    return json.loads(run.stdout.rpartition("WATCHED ")[2])


def tasks_of(job: str, expected: int) -> list:
    """The finished tasks of a job, as Ray counts them; it hears of them a little later."""
    deadline, tasks = time.monotonic() + 30, []
    while len(tasks) < expected and time.monotonic() < deadline:
        time.sleep(0.3)
        filters = [("job_id", "=", job), ("state", "=", "FINISHED")]
        where = SHARED.env()["RAY_ADDRESS"]
        tasks = list_tasks(address=where, filters=filters, detail=True, limit=10_000)
    return tasks


def looks_and_histograms(photos: int, tile: int, look: bool = True) -> tuple[int, int]:
    """How the same scan splits, counted anew; without a look at it, blank paper is split too."""
    sheet = LESSON["scan"](photos, 42)
    stack, looks, histograms = list(pairwise([*range(0, len(sheet), 2048), len(sheet)])), 0, 0
    while stack:
        top, bottom = stack.pop()
        looks += 1
        flat = look and np.ptp(sheet[top:bottom], axis=(0, 1)).max() == 0
        if flat or bottom - top <= tile:
            histograms += 1
        else:
            stack += [(top, (top + bottom) // 2), ((top + bottom) // 2, bottom)]
    return looks, histograms


def test_the_picture_decides_how_many_tasks_there_are(shared_ray, watched) -> None:
    looks, histograms = looks_and_histograms(**SMALL)
    assert histograms < 0.8 * looks_and_histograms(**SMALL, look=False)[1]
    assert (watched["looks"], watched["histograms"]) == (looks, histograms)
    expected = {"measure": WARM_UP + looks, "add": histograms - 1}
    tasks = tasks_of(watched["job"], sum(expected.values()))
    assert Counter(task.name for task in tasks) == expected
    assert len({task.worker_pid for task in tasks if task.name == "measure"}) > 1


def test_the_depth_of_the_tree_is_logarithmic(watched) -> None:
    assert watched["levels"] == math.ceil(math.log2(watched["histograms"]))


def test_the_driver_fetches_one_histogram(watched) -> None:
    assert watched["fetched"] == [32**3 * 8]


def test_the_same_histogram_for_any_tile(call) -> None:
    answers = {LESSON["main"](photos=3, tile=tile, seed=5)["answer"] for tile in (4000, 333, 16)}
    assert answers == {call(RAY, photos=3, tile=100, seed=5).figures["answer"]}
