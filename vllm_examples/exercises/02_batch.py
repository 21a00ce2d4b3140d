"""Exercise 2: a table of answers that survives a crash.

SOURCE is one Parquet file with the columns id and question. Send its rows through two engines of
class ENGINE (no constructor arguments, num_cpus=0 each, so that two CPUs are left for the rest),
ROWS rows at a time, and write what comes out as Parquet into the folder TARGET. After a crash the
same call must go on: what is written stays, and is not asked again. The folder NOTES is yours, to
keep what you need for that.

    make check EX=vllm_examples/02
"""

import ray  # noqa: F401
from ray.data import ActorPoolStrategy, DataContext  # noqa: F401
from ray.data.checkpoint import CheckpointConfig  # noqa: F401

ROWS = 10


def answer_all(source: str, engine: type, target: str, notes: str) -> None:
    raise NotImplementedError("checkpoint_config, read, repartition, map_batches, write")
