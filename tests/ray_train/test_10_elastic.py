"""A machine is really lost, and training ends with every digit of every epoch learned."""

import runpy
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

import ray

from support import SHARED, Call, call_main
from workshop.lessons import ROOT
from workshop.machines import Machine

BASELINE, RAY = "ray_train/10_elastic_baseline.py", "ray_train/10_elastic_ray.py"
FOLDER = Path("out/ray_train/10_elastic")
EPOCHS, SEED, LOST = 4, 3, 1
ALONE = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "0"}
LOSS = 1e-2  # equal batches, added up in another order: 5e-8 in epoch 0, 3e-3 in epoch 3
RETURNED = """
2 -> 1 workers: 31.0 s, 31.1 without a step
1 -> 2 workers: {up} s, 9.0 without a step
ready in 20.0 s
{epochs} epochs, 2 of them begun twice, last loss 0.001000
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict:
    """What a worker returns that is the only one, and is not lost; it runs here."""
    train = runpy.run_path(str(ROOT / BASELINE))["train"]
    folder = tmp_path_factory.mktemp("undisturbed")
    train.__globals__.update(FOLDER=folder, STEPS=folder / "steps")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ALONE.items():
            patch.setenv(name, value)
        return train({"until": EPOCHS, "gpu": False, "seed": SEED})


@pytest.fixture(scope="module")
def by_hand() -> dict:
    return call_main(BASELINE, {"epochs": EPOCHS, "seed": SEED}, {}).figures


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    """Where Ray keeps its files; a short path."""
    with tempfile.TemporaryDirectory(prefix="rw", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def by_ray(temporary) -> Call:
    env = SHARED.env() | {"RAY_TMPDIR": str(temporary)}
    return call_main(RAY, {"epochs": EPOCHS, "seed": SEED}, env)


def right_answer() -> int:
    """The digest of a table of epochs in which every chosen digit was seen."""
    seen = np.zeros((EPOCHS, 1797), dtype=bool)
    seen[:, np.random.default_rng(SEED).permutation(1797)[:1408]] = True
    return zlib.crc32(np.packbits(seen))


def steps(kind: str) -> list[tuple]:
    """(epoch, step, workers) of every step."""
    lines = (FOLDER / kind / "steps").read_text().splitlines()
    return [tuple(map(int, line.split()[1:4])) for line in lines]


@pytest.mark.thorough
def test_every_digit_of_every_epoch_is_learned(by_hand, by_ray, undisturbed) -> None:
    assert by_hand["answer"] == by_ray.figures["answer"] == undisturbed["seen"] == right_answer()


@pytest.mark.thorough
def test_the_losses_are_those_of_an_undisturbed_run(by_hand, by_ray, undisturbed) -> None:
    for figures in (by_hand, by_ray.figures):
        assert figures["losses"] == pytest.approx(undisturbed["losses"], abs=LOSS)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["baseline", "ray"])
def test_two_workers_then_one_and_only_the_broken_epoch_again(kind, by_hand, by_ray) -> None:
    figures = by_hand if kind == "baseline" else by_ray.figures
    [(old, new, seconds, pause)] = figures["changes"]
    assert (old, new) == (2, 1) and 0 < seconds <= pause
    together, alone = ({epoch for epoch, _, n in steps(kind) if n == size} for size in (2, 1))
    last = max(together)  # LOST, unless the machine is so busy that the loss came late
    assert last >= LOST and together == set(range(last + 1))
    assert alone == set(range(min(alone), EPOCHS)) and min(alone) in (last, last + 1)
    assert figures["repeated"] == len(together & alone)
    assert (FOLDER / kind / "workers.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.thorough
def test_the_ray_of_the_environment_is_left_alone(by_ray) -> None:
    SHARED.env()
    assert [node["Alive"] for node in ray.nodes()] == [True]
    assert "2 -> 1 workers" in by_ray.run.stdout


@pytest.mark.thorough
def test_no_later_ray_init_looks_for_its_cluster(by_ray, temporary) -> None:
    assert list(temporary.rglob("session_*"))
    assert not list(temporary.rglob("ray_current_cluster"))


def test_a_lost_machine_leaves_no_process(tmp_path) -> None:
    parent = psutil.Popen(["sh", "-c", "sleep 60 & sleep 60 & wait"])
    while len(children := parent.children()) < 2:
        pass
    machine = Machine.__new__(Machine)
    machine.process = parent
    machine.lose()
    machine.lose()
    gone, alive = psutil.wait_procs([parent, *children], timeout=10)
    assert len(gone) == 3 and not alive


@pytest.mark.parametrize(
    ("up", "epochs", "holds"), [("24.9", 60, True), ("25.1", 60, False), ("9.0", 59, False)]
)
def test_the_benchmark_tells_a_slow_return_and_a_missing_epoch(up, epochs, holds) -> None:
    verdict = runpy.run_path("benchmarks/elastic.py")["verdict"]
    assert verdict(RETURNED.format(up=up, epochs=epochs), 60)[1] is holds
    assert (
        verdict(RETURNED.format(up=up, epochs=epochs).replace("1 -> 2", "1 -> 3"), 60)[1] is False
    )
