from collections.abc import Callable
from pathlib import Path

from ray import tune


def tuner(folder: Path, train: Callable, space: dict) -> tune.Tuner:
    if tune.Tuner.can_restore(folder):
        return tune.Tuner.restore(str(folder), train, restart_errored=True)
    retry = tune.FailureConfig(max_failures=2)
    run = tune.RunConfig(name=folder.name, storage_path=folder.parent, failure_config=retry)
    return tune.Tuner(train, param_space=space, run_config=run)
