import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.data.checkpoint import CheckpointConfig

ROWS = 10


def answer_all(source: str, engine: type, target: str, notes: str) -> None:
    DataContext.get_current().checkpoint_config = CheckpointConfig("id", notes)
    ds = ray.data.read_parquet(source).repartition(target_num_rows_per_block=ROWS)
    pool = ActorPoolStrategy(size=2)
    ds = ds.map_batches(engine, batch_size=ROWS, num_cpus=0, compute=pool)
    ds.write_parquet(target, mode="append")
