import os
import signal
import tempfile
from pathlib import Path

import ray


def check(attempt) -> str:
    options = getattr(attempt.Counter, "_default_options", {})
    plain = attempt.Counter
    if hasattr(plain, "remote"):
        plain = plain.__ray_metadata__.modified_class
    with tempfile.TemporaryDirectory() as folder:
        check_without_ray(plain, Path(folder) / "plain.json")
        assert hasattr(attempt.Counter, "remote"), "Counter is not an actor yet: @ray.remote"
        assert options.get("max_restarts"), "Ray will not start it again: max_restarts"
        assert options.get("max_task_retries"), (
            "the call that its death interrupts would be lost: max_task_retries"
        )
        ray.init(num_cpus=1, log_to_driver=False)
        return check_killed(attempt.Counter, Path(folder) / "actor.json")


def check_without_ray(counter, file: Path) -> None:
    first = counter(file)
    first.add("china", 10)
    assert file.exists(), "after add() there is no checkpoint on disk: json.dumps, write_text"
    assert counter(file).total() == 10, "a new Counter does not know what is in the checkpoint"
    first.add("china", 10)
    assert first.total() == 10, "the same image, added again, was counted again: keep it by name"
    before = file.stat().st_ino
    first.add("flower", 5)
    assert counter(file).total() == 15, "the second image is not in the checkpoint"
    assert file.stat().st_ino != before, (
        "the checkpoint is written in place, and half of it if the process dies: os.replace"
    )


def check_killed(counter_class, file: Path) -> str:
    counter = counter_class.remote(file)
    ray.get(counter.add.remote("china", 10), timeout=60)
    first = ray.get(counter.pid.remote(), timeout=60)
    os.kill(first, signal.SIGKILL)
    ray.get([counter.add.remote("china", 10), counter.add.remote("flower", 5)], timeout=60)
    total, second = ray.get([counter.total.remote(), counter.pid.remote()], timeout=60)
    assert second != first, "the process was killed, but the same one answers"
    assert total == 15, f"after the kill the total is {total}, not 15"
    return f"process {first} was killed, {second} went on, and the total is right"
