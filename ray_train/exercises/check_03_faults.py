import json
import tempfile
from pathlib import Path

import ray
from ray.train import RunConfig

EPOCHS, FAILURES = 5, 3
SNAPSHOT = "checkpoint_manager_snapshot.json"


def leave_behind(folder: Path, epochs: int) -> None:
    """What Ray Train 2.60 leaves of a run that has reported EPOCHS epochs."""
    (folder / f"checkpoint_{epochs}").mkdir(parents=True, exist_ok=True)
    last = dict(version=0, checkpoint_dir_name=f"checkpoint_{epochs}", metrics={"epochs": epochs})
    state = dict(ray_version=ray.__version__, current_report_index=epochs)
    state |= dict(checkpoint_results=[last], checkpoint_report_indices=[epochs - 1])
    state |= dict(latest_checkpoint_result=last)
    state |= dict(pending_training_results=[], pending_validation_specs=[])
    for kind in ("validated", "timed_out_validation", "failed_validation"):
        state[f"{kind}_checkpoint_dir_names"] = []
    (folder / SNAPSHOT).write_text(json.dumps(state))


def check(attempt) -> str:
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder, "storage")

        def start() -> Path:
            """The folder in which a start of the program would look for checkpoints."""
            config = attempt.run_config(storage, EPOCHS, FAILURES)
            assert isinstance(config, RunConfig), "run_config() does not return a RunConfig"
            assert not config.name.startswith("ray_train_run-"), (
                "without a name Ray takes a new one at each start: nothing resumes"
            )
            assert config.storage_path and Path(config.storage_path) == storage, (
                "the checkpoints do not go below STORAGE: storage_path"
            )
            survives = config.failure_config and config.failure_config.max_failures
            assert survives == FAILURES, (
                f"max_failures is {survives or 0}, so the run would not survive just {FAILURES}"
                " deaths: FailureConfig"
            )
            kept = config.checkpoint_config and config.checkpoint_config.num_to_keep
            assert kept == 2, f"num_to_keep is {kept}, not 2: CheckpointConfig"
            return storage / config.name

        first = start()
        second = start()
        assert first == second, (
            f"killed before its first checkpoint and started again, its name is {second.name}, not"
            f" {first.name}: a name made from the time or by chance is never found again"
        )
        for done in (1, EPOCHS - 1):
            leave_behind(first, done)
            again = start()
            assert again == first, (
                f"interrupted after {done} of {EPOCHS} epochs, the next start is called"
                f" {again.name}, not {first.name}: it would begin at epoch 0"
            )
            assert (first / SNAPSHOT).exists(), (
                f"interrupted after {done} of {EPOCHS} epochs, the next start throws them away"
            )
        leave_behind(first, EPOCHS)
        assert not (start() / SNAPSHOT).exists(), (
            f"all {EPOCHS} epochs were done, yet the next start finds their checkpoint: it would"
            " end at once, without training"
        )
    return "an interrupted run goes on, a finished one does not, and workers may die"
