"""Exercise 3: the same name goes on, a new name starts over.

A training reports {"epochs": how many are done} with a checkpoint after every epoch. Write its
RunConfig. It survives FAILURES deaths of workers, and keeps its two last checkpoints. If the driver
dies and the program is started again, it goes on, but once all EPOCHS are done the next start
is a new run that sees no old checkpoint.

    make check EX=ray_train/03
"""

from pathlib import Path

from ray.train import CheckpointConfig, FailureConfig, Result, RunConfig  # noqa: F401


def run_config(storage: Path, epochs: int, failures: int) -> RunConfig:
    raise NotImplementedError("Result.from_path(storage / name).metrics tells how far a run got")
