from itertools import islice

import ray


def total(task, items: list[int], limit: int) -> int:
    waiting, flying, result = iter(items), [], 0
    while True:
        flying += [task.remote(item) for item in islice(waiting, limit - len(flying))]
        if not flying:
            return result
        [done], flying = ray.wait(flying)
        result += ray.get(done)
