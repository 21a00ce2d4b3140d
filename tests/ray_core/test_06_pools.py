"""The same results as the stock pools, in Ray's own processes, for a handful of changed lines."""

import os

import pytest

from ray.util.multiprocessing import Pool
from ray.util.state import list_actors

from support import LOGICAL_CPUS, as_attendee
from workshop.lessons import all_pairs, changed_lines

BASELINE, RAY = "ray_core/06_pools_baseline.py", "ray_core/06_pools_ray.py"
PART_OF_STOCK_SPEED = 0.3  # 0.7 in two pairs of runs on a busy two-core machine; a wide margin


@pytest.fixture(scope="module")
def twins() -> tuple[dict, dict]:
    return as_attendee(BASELINE).figures, as_attendee(RAY).figures


def test_the_diff_is_an_import_and_a_backend() -> None:
    pair = next(pair for pair in all_pairs() if pair.name == "ray_core/06_pools")
    assert 3 <= changed_lines(pair) <= 12


def test_the_same_work_in_worker_processes_of_ray(shared_ray, twins) -> None:
    stock, ray = twins
    assert ray["answer"] == stock["answer"]
    for twin in twins:
        assert twin["seconds"] == twin["pool_seconds"] + twin["search_seconds"]
        assert twin["driver"] not in twin["pool_pids"] + twin["search_pids"]
    assert len(ray["pool_pids"]) == 2
    actors = list_actors(address=shared_ray["RAY_ADDRESS"], limit=1000)
    on_ray = {actor.pid for actor in actors if actor.class_name == "PoolActor"}
    assert set(ray["pool_pids"] + ray["search_pids"]) <= on_ray


def test_joblib_on_ray_starts_workers_for_every_fit(twins) -> None:
    """The reason for the loss: two searches with n_jobs=2 are four processes, not two."""
    stock, ray = twins
    assert len(stock["search_pids"]) <= 2
    assert len(ray["search_pids"]) == 4
    assert not set(ray["search_pids"]) & set(ray["pool_pids"])


def test_a_pool_without_a_number_has_every_cpu_of_the_cluster(shared_ray) -> None:
    pool = Pool()
    pids = {call.get() for call in [pool.apply_async(os.getpid) for _ in range(LOGICAL_CPUS)]}
    pool.terminate()
    assert len(pids) == LOGICAL_CPUS


@pytest.mark.measures
def test_the_pool_keeps_a_good_part_of_the_stock_speed(twins, call) -> None:
    stock, ray = twins
    for _ in range(2):
        if stock["pool_seconds"] / ray["pool_seconds"] >= PART_OF_STOCK_SPEED:
            break
        stock, ray = (call(script).figures for script in (BASELINE, RAY))
    assert stock["pool_seconds"] / ray["pool_seconds"] >= PART_OF_STOCK_SPEED
