import time

import ray.train


def train(config: dict) -> dict:
    workers = ray.train.get_context().get_world_size()
    waited, learned, steps = 0.0, 0.0, 0
    shard = ray.train.get_dataset_shard("train")
    then = time.perf_counter()
    for batch in shard.iter_torch_batches(batch_size=config["batch"] // workers):
        now = time.perf_counter()
        waited += now - then
        config["learn"](batch)
        then = time.perf_counter()
        learned += then - now
        steps += 1
    return dict(waited=waited, learned=learned, steps=steps)
