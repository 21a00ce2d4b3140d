import shutil
import tempfile
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import ray.train
from ray.train import Checkpoint

EPOCHS, NUMBERS, DIES = 5, list(range(7)), 2


class Died(Exception):
    """The machine of a worker is gone; it takes the others down with it."""


class Stage:
    """Stands in for Ray Train: calls train() as each of the workers, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kept, self.whole, self.begun = folder, None, [], []

    def run(self, attempt, workers: int, dies: int | None) -> None:
        """All workers, until the epoch in which they die, if any; the last whole epoch counts."""
        epochs, kept, learned = Counter(), {}, Counter()
        for rank in range(workers):
            self.rank, self.workers, self.dies = rank, workers, dies
            self.reported, self.learned = [], Counter()
            try:
                attempt.train(dict(epochs=EPOCHS, numbers=NUMBERS, learn=self.learn))
                assert dies is None, "train() is over, though it has not done every epoch"
            except Died:
                pass
            epochs.update(epoch for epoch, _ in self.reported)
            kept |= {epoch: copy for epoch, copy in self.reported if copy}
            learned += self.learned
        done = sorted(epoch for epoch, count in epochs.items() if count == workers)
        uneven = [epoch for epoch, count in epochs.items() if count != workers]
        assert not uneven, "every worker calls ray.train.report once an epoch, or the others wait"
        assert done, "no epoch was reported: ray.train.report({...}, checkpoint=...) after each"
        missing = [epoch for epoch in done if epoch not in kept]
        assert not missing, f"epoch {missing[0]} was reported without a checkpoint by rank 0"
        self.kept = kept[done[-1]]
        self.whole += [(e, n) for (e, n), c in learned.items() if e in done for _ in range(c)]
        self.begun.append(min((epoch for epoch, _ in learned), default=None))

    def learn(self, epoch: int, number: int) -> None:
        if epoch == self.dies and number in NUMBERS[-2:]:
            raise Died
        self.learned[epoch, number] += 1

    def report(self, metrics: dict, checkpoint: Checkpoint | None = None, **_) -> None:
        epoch, copy = max((e for e, _ in self.learned), default=None), None
        assert epoch is not None, "reported before anything was learned"
        if checkpoint is not None:
            assert self.rank == 0, f"rank {self.rank} reports a checkpoint too: rank 0 is enough"
            copy = Path(tempfile.mkdtemp(dir=self.folder))
            shutil.copytree(checkpoint.path, copy, dirs_exist_ok=True)
            assert list(copy.iterdir()), "the checkpoint's folder is empty: write the epoch first"
        self.reported.append((epoch, copy))

    def get_checkpoint(self) -> Checkpoint | None:
        return Checkpoint.from_directory(self.kept) if self.kept else None

    def get_context(self) -> SimpleNamespace:
        return SimpleNamespace(
            get_world_rank=lambda: self.rank, get_world_size=lambda: self.workers
        )


def check(attempt) -> str:
    config = attempt.scaling(4)
    assert isinstance(config, ray.train.ScalingConfig), "scaling() returns a ScalingConfig"
    assert config.num_workers == (1, 4), (
        f"num_workers is {config.num_workers!r}: a fixed number never changes, (1, most) may"
    )
    assert config.elastic_resize_monitor_interval_s == 2, (
        "Ray would look for a change every"
        f" {config.elastic_resize_monitor_interval_s:.0f} s: elastic_resize_monitor_interval_s=2"
    )
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        for name in ("report", "get_checkpoint", "get_context"):
            setattr(ray.train, name, getattr(stage, name))
            attempt.train.__globals__[name] = getattr(stage, name)  # where it was imported by name
        stage.run(attempt, workers=2, dies=DIES)
        assert stage.begun == [0], f"a new run begins at epoch {stage.begun[0]}, not 0"
        stage.run(attempt, workers=1, dies=None)
        again = stage.begun[1]
    assert again != 0, "after the loss all epochs start over: read ray.train.get_checkpoint()"
    assert again == DIES, f"epoch {DIES} was interrupted, but train() goes on with epoch {again}"
    seen = Counter(stage.whole)
    wanted = {(epoch, number) for epoch in range(EPOCHS) for number in NUMBERS}
    assert set(seen) == wanted, f"{len(wanted - set(seen))} numbers were left out of an epoch"
    assert max(seen.values()) == 1, "a number was learned twice in a whole epoch"
    return f"two workers, then one: {EPOCHS} epochs, and each number once in each of them"
