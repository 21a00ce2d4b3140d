import shutil
from pathlib import Path

from ray.train import CheckpointConfig, FailureConfig, Result, RunConfig


def run_config(storage: Path, epochs: int, failures: int) -> RunConfig:
    folder = Path(storage).absolute() / "run"
    begun = (folder / "checkpoint_manager_snapshot.json").exists()
    if begun and Result.from_path(folder).metrics["epochs"] >= epochs:
        shutil.rmtree(folder)
    return RunConfig(
        name=folder.name,
        storage_path=folder.parent,
        failure_config=FailureConfig(max_failures=failures),
        checkpoint_config=CheckpointConfig(num_to_keep=2),
    )
