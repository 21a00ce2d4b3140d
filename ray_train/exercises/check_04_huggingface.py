import itertools
import json
import tempfile
from pathlib import Path

import torch

import ray.train
from ray.data.iterator import _IterableFromIterator

STEPS, BATCH = 3, 4


class Shard:
    """Stands for the worker's shard of a Dataset, and notes what is taken from it."""

    def __init__(self) -> None:
        self.asked, self.taken = None, 0

    def iter_torch_batches(self, *, batch_size: int = 256, **_) -> _IterableFromIterator:
        self.asked = batch_size
        return _IterableFromIterator(self.batches)

    def batches(self):
        for k in itertools.count():
            self.taken += 1
            ids = torch.arange(self.asked * 8).reshape(-1, 8) % 32
            yield dict(input_ids=ids, labels=(ids[:, 0] + k) % 3)


def check(attempt) -> str:
    shard, reports = Shard(), []
    ray.train.get_dataset_shard = lambda name="train": shard
    ray.train.report = lambda metrics, checkpoint=None, **_: reports.append(seen(checkpoint))
    with tempfile.TemporaryDirectory() as folder:
        config = dict(steps=STEPS, batch=BATCH, folder=f"{folder}/trainer")
        try:
            attempt.train(config)
        except ValueError as error:
            assert "max_steps" not in str(error), "a stream has no length: say max_steps"
            raise
        except TypeError as error:
            assert "has no len()" not in str(error) and "IterableFromIterator" not in str(error), (
                "a Trainer cannot read Ray's iterable before prepare_trainer(trainer)"
            )
            raise
    assert shard.asked, "nothing was read from the shard: shard.iter_torch_batches(batch_size=..)"
    assert shard.asked == BATCH, f'batches of {shard.asked}, not of config["batch"]: {BATCH}'
    assert shard.taken >= STEPS, "no step was made: trainer.train()"
    assert reports, "Ray heard of no checkpoint: callbacks=[RayTrainReportCallback()]"
    step, files = reports[-1]
    assert step == STEPS, f"the last checkpoint is of step {step}, not of the last, {STEPS}"
    assert "model.safetensors" in files, f"there is no model in the checkpoint, but {files}"
    return f"{STEPS} steps of {BATCH} rows from the shard, and Ray has a checkpoint of the last"


def seen(checkpoint) -> tuple[int, list[str]]:
    """The step of a reported checkpoint, and its files, which are gone when the run is over."""
    assert checkpoint, "a report came without a checkpoint"
    folder = Path(checkpoint.path, "checkpoint")
    state = json.loads((folder / "trainer_state.json").read_text())
    return state["global_step"], sorted(path.name for path in folder.iterdir())
