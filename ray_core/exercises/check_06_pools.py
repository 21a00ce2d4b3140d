import os

import joblib.parallel
import numpy as np

import ray
from ray.util.state import list_actors


def check(attempt) -> str:
    batches = [[np.full((8, 8), 4 * i + j, np.uint8) for j in range(4)] for i in range(3)]
    ray.init(num_cpus=2, log_to_driver=False)

    try:
        results = attempt.measure_all(batches)
    except ValueError as error:
        assert "ray" in joblib.parallel.BACKENDS, (
            f"joblib does not know a backend called ray before register_ray(): {error}"
        )
        raise
    assert isinstance(results, list) and [len(batch) for batch in results] == [4, 4, 4], (
        "measure_all() must return one list for each batch, with one result for each photograph"
    )
    totals = [[int(total) for total, _ in batch] for batch in results]
    assert totals == [[int(photo.sum()) for photo in batch] for batch in batches], (
        "the brightness of the photographs is not right, or not in the order of the batches"
    )
    pids = {pid for batch in results for _, pid in batch}
    assert pids != {os.getpid()}, (
        "right, but everything ran in this process: Parallel wants n_jobs=2 and the backend ray"
    )
    workers = {actor.pid for actor in list_actors(limit=1000) if actor.class_name == "PoolActor"}
    assert pids <= workers, (
        "right, but it ran in joblib's own processes: parallel_backend takes the name ray"
    )
    assert len(pids) <= 2, (
        f"right, but {len(pids)} workers started for 3 batches: keep one Parallel for all of them"
    )
    return "3 batches on Ray, all of them in the same two workers"
