import time
from types import SimpleNamespace

import torch

import ray.train

ROWS, BATCH, WORKERS = 48, 8, 2
WAITS, LEARNS = 0.5, 0.25  # seconds of a clock that only data and learning move
CALLS = ("perf_counter", "monotonic", "time")


class Shard:
    """Stands in for a worker's part of the dataset, on a clock of its own."""

    def __init__(self) -> None:
        self.clock, self.asked, self.learned, self.got = 100.0, None, [], []

    def iter_torch_batches(self, *, batch_size: int | None = 256, **_):
        self.asked = batch_size
        size = batch_size or ROWS
        for k in range(0, ROWS, size):
            self.clock += WAITS
            self.got.append(k)
            yield {"row": torch.arange(k, min(k + size, ROWS))}

    def learn(self, batch: dict) -> None:
        assert isinstance(batch, dict) and "row" in batch, "learn() gets a batch, as it came"
        assert isinstance(batch["row"], torch.Tensor), "learn() gets torch batches"
        self.clock += LEARNS
        self.learned += batch["row"].tolist()

    def of(self, name: str = "train") -> "Shard":
        assert name == "train", f'the dataset is called "train", not "{name}"'
        return self


def check(attempt) -> str:
    shard = Shard()
    context = SimpleNamespace(get_world_size=lambda: WORKERS, get_world_rank=lambda: 0)
    stand_ins = dict(get_dataset_shard=shard.of, get_context=lambda: context)
    names = attempt.train.__globals__
    for name, stand_in in stand_ins.items():
        setattr(ray.train, name, stand_in)
    for name in CALLS:
        stand_ins[name] = lambda: shard.clock
    names.update(
        {name: stand_in for name, stand_in in stand_ins.items() if callable(names.get(name))}
    )
    real = {name: getattr(time, name) for name in CALLS}
    try:
        for name in CALLS:
            setattr(time, name, stand_ins[name])
        done = attempt.train(dict(batch=BATCH, learn=shard.learn))
    finally:
        for name, function in real.items():
            setattr(time, name, function)
    return right(shard, done)


def right(shard: Shard, done: dict) -> str:
    assert shard.asked, "nothing was read: ray.train.get_dataset_shard, .iter_torch_batches"
    share, steps = BATCH // WORKERS, ROWS // (BATCH // WORKERS)
    assert shard.asked == share, (
        f"batch_size is {shard.asked}: {WORKERS} workers share a batch of {BATCH} rows"
    )
    assert shard.learned == list(range(ROWS)), "not every row was learned once, in its order"
    wanted = dict(waited=steps * WAITS, learned=steps * LEARNS, steps=steps)
    assert set(done) == set(wanted), "train() returns waited, learned and steps"
    assert done["steps"] == steps, f"steps is {done['steps']}: there were {steps} batches"
    off = {name: value for name, value in wanted.items() if abs(done[name] - value) > 1e-6}
    if abs(done["waited"] + WAITS - wanted["waited"]) < 1e-6:
        raise AssertionError("the wait for the first batch is missing: start the clock before it")
    for name, value in off.items():
        raise AssertionError(f"{name} is {done[name]:.2f} s, where {value:.2f} s went by")
    return f"{done['waited']:.0f} of {done['waited'] + done['learned']:.0f} s went into waiting"
