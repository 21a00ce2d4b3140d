"""Exercise 9: what went wrong, and what took so long? Ask Ray, the tasks themselves keep no record.

Fill in post_mortem(): it waits for all tasks, and tells by name which of them failed and which one
ran longest.

    make check EX=ray_core/09
"""

import time

import ray
from ray.util.state import list_tasks


def ended(number: int) -> list:
    """This job's tasks as the state API knows them, once it knows the times of that many.

    Each has a name, a state, and start_time_ms and end_time_ms: when it ran, not when it waited.
    """
    mine, tasks, deadline = ray.get_runtime_context().get_job_id(), [], time.monotonic() + 20
    while len(tasks) < number and time.monotonic() < deadline:
        found = list_tasks(filters=[("job_id", "=", mine)], detail=True, limit=10_000)
        tasks = [task for task in found if task.start_time_ms and task.end_time_ms]
    return tasks


def post_mortem(running: list[ray.ObjectRef]) -> tuple[list[str], str]:
    """The names of the tasks that failed, and the name of the slowest one; never raises."""
    raise NotImplementedError("wait for all that is running, then look through what has ended")
