import time

import ray

LIMIT, ITEMS = 3, list(range(12))
GIVE_UP = 5


@ray.remote(num_cpus=0)
class Begun:
    def __init__(self) -> None:
        self.items = set()

    def add(self, item: int) -> None:
        self.items.add(item)

    def count(self) -> int:
        return len(self.items)


@ray.remote
def work(item: int, begun) -> int:
    """The first item is slow: done when all the others have begun, or if none does any more."""
    ray.get(begun.add.remote(item))
    count, deadline = 0, time.monotonic() + GIVE_UP
    while item == ITEMS[0] and count < len(ITEMS):
        before, count = count, ray.get(begun.count.remote())
        if count > before:
            deadline = time.monotonic() + GIVE_UP
        elif time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
    return 10**item


class Watched:
    """Starts tasks; knows how many at most were started and not done."""

    def __init__(self) -> None:
        self.begun, self.started, self.most = Begun.remote(), [], 0

    def remote(self, item: int) -> ray.ObjectRef:
        going_on = self.started
        if going_on:
            _, going_on = ray.wait(going_on, num_returns=len(going_on), timeout=0)
        self.most = max(self.most, len(going_on) + 1)
        assert self.most <= LIMIT, f"{self.most} tasks were in flight where the limit was {LIMIT}"
        self.started.append(work.remote(item, self.begun))
        return self.started[-1]


def check(attempt) -> str:
    if "NotImplementedError" in attempt.total.__code__.co_names:
        raise NotImplementedError
    ray.init(num_cpus=LIMIT, log_to_driver=False)
    warm = Begun.remote()
    ray.get([work.remote(item, warm) for item in ITEMS])
    task = Watched()
    try:
        result = attempt.total(task, ITEMS, LIMIT)
    except TimeoutError:
        assert task.most > 1, "one task at a time: start LIMIT of them before you wait for one"
        raise AssertionError(
            "the slow first task held the others up: take whichever is done, then start the next"
        ) from None
    assert len(task.started) == len(ITEMS), (
        f"{len(task.started)} tasks were started for {len(ITEMS)} items"
    )
    right = sum(10**item for item in ITEMS)
    assert result == right, f"the total of these items is {right}, not {result}"
    assert task.most == LIMIT, f"only {task.most} tasks were in flight where {LIMIT} were allowed"
    return f"{len(ITEMS)} items, at most {task.most} in flight, and the slow one held nobody up"
