"""One machine, three nodes or a Ray job: the same file, the same answer."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ray.job_submission import JobStatus, JobSubmissionClient

from support import Call, call_main
from workshop.lessons import ROOT
from workshop.processes import end_session
from workshop.runner import SUMMARY

BASELINE, RAY = "ray_core/10_cluster_baseline.py", "ray_core/10_cluster_ray.py"
WORK = {"images": 12, "seconds": 0.2}
NODES = 3
CLUSTER = f"""
import sys
from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled
from ray.cluster_utils import Cluster

ensure_token_if_auth_enabled()
cluster = Cluster(True, head_node_args={{"num_cpus": 2, "include_dashboard": False}})
for _ in range({NODES - 1}):
    cluster.add_node(num_cpus=2)
print(cluster.address, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def three_nodes(ray_alone: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment in which a script joins a cluster of three nodes."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ray_alone | {"RAY_AUTH_MODE": "token"},
        start_new_session=True,
    )
    try:
        address = process.stdout.readline().strip()
        assert address, "the cluster did not start"
        yield {"RAY_ADDRESS": address, "RAY_AUTH_MODE": "token"}
    finally:
        end_session(process.pid, grace=0)
        process.communicate()


@pytest.fixture(scope="module")
def by_hand() -> Call:
    return call_main(BASELINE, WORK, {})


def test_on_one_machine_all_images_are_counted_there(by_hand, call) -> None:
    for made in (by_hand, call(RAY, **WORK)):
        assert list(made.figures["placed"].values()) == [WORK["images"]]


def test_every_node_of_a_cluster_gets_work_and_the_answer_stays(by_hand, three_nodes) -> None:
    spread = call_main(RAY, WORK, three_nodes)
    placed = spread.figures["placed"]
    assert len(placed) == NODES and sum(placed.values()) == WORK["images"]
    for where, count in placed.items():
        assert f"{count:3d} images on {where}" in spread.run.stdout
    assert spread.figures["answer"] == by_hand.figures["answer"]


def test_as_a_ray_job_without_an_edit(by_hand, shared_ray, tmp_path) -> None:
    """Only the one file is shipped."""
    shutil.copy(ROOT / RAY, tmp_path)
    client = JobSubmissionClient(shared_ray["RAY_ADDRESS"])
    job = client.submit_job(
        entrypoint=f"{sys.executable} {Path(RAY).name} --images 12 --seconds 0.2",
        runtime_env={"working_dir": str(tmp_path)},
    )
    deadline = time.monotonic() + 120
    while not client.get_job_status(job).is_terminal() and time.monotonic() < deadline:
        time.sleep(0.2)
    logs = client.get_job_logs(job)
    assert client.get_job_status(job) == JobStatus.SUCCEEDED, logs
    assert SUMMARY.search(logs)["answer"] == by_hand.run.answer
