import tempfile
from pathlib import Path
from unittest.mock import patch

from ray import tune

BEGUN, RESTORED = "begun", "restored"


def train(config: dict) -> None: ...


def called(attempt, folder: Path, space: dict) -> tuple[str, dict]:
    """What the attempt made in FOLDER, a new sweep or an old one, and with which arguments."""
    made = []

    def begin(self, trainable=None, **given) -> None:
        made.append((BEGUN, dict(trainable=trainable) | given))

    def restore(path, trainable, *places, **given) -> tune.Tuner:
        names = ("resume_unfinished", "resume_errored", "restart_errored")
        given |= dict(zip(names, places, strict=False))
        made.append((RESTORED, dict(path=path, trainable=trainable) | given))
        return object.__new__(tune.Tuner)

    with (
        patch.object(tune.Tuner, "__init__", begin),
        patch.object(tune.Tuner, "restore", staticmethod(restore)),
    ):
        result = attempt.tuner(folder, train, space)
    assert made and isinstance(result, tune.Tuner), "tuner() does not return a Tuner"
    return made[-1]


def check(attempt) -> str:
    space = dict(rate=tune.grid_search([0.1, 0.2]))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "storage", "sweep")
        folder.mkdir(parents=True)
        check_begun(*called(attempt, folder, space), folder, space)
        (folder / "tuner.pkl").touch()
        (folder / "experiment_state-2026-11-26_12-00-00.json").write_text("{}")
        check_restored(*called(attempt, folder, space), folder)
    return "finished trials stay, interrupted ones go on, failed ones begin anew"


def check_begun(what: str, given: dict, folder: Path, space: dict) -> None:
    assert what == BEGUN, "the folder holds no sweep yet, and there is nothing to restore"
    assert given["trainable"] is train, "the new sweep does not run train()"
    assert given.get("param_space") == space, "the new sweep has other configurations: param_space"
    config = given.get("run_config") or tune.RunConfig()
    where = Path(config.storage_path or "~/ray_results", config.name or "a name made from the time")
    assert where == folder, (
        f"the new sweep would be kept in {where}, not in FOLDER: it is never found again"
    )
    failures = config.failure_config.max_failures if config.failure_config else 0
    assert failures == 2, f"a trial of the new sweep may fail {failures} times, not 2"


def check_restored(what: str, given: dict, folder: Path) -> None:
    assert what == RESTORED, (
        "the folder holds a sweep, but a new one begins: its finished trials would run again"
    )
    assert given["trainable"] is train, "the restored sweep does not run train()"
    assert isinstance(given["path"], str), "Tuner.restore wants the path as text: str(folder)"
    assert Path(given["path"]) == folder, f"it restores {given['path']}, not {folder}"
    assert given.get("resume_unfinished", True), (
        "the interrupted trials are given up: leave resume_unfinished as it is"
    )
    assert not given.get("resume_errored"), (
        "the failed trials go on from checkpoints that the bug may have spoilt: not resume_errored"
    )
    assert given.get("restart_errored"), "the failed trials stay failed: restart_errored"
