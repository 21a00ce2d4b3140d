import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch

import ray.train

EPOCHS, STOP = 6, 3


class Stopped(BaseException):
    """What ends the training after a report, as Ctrl-C would."""


class StandIn:
    """What ray.train is to a training: it keeps the last checkpoint, as Ray does, and may stop."""

    def __init__(self, folder: str) -> None:
        self.kept, self.reports, self.stop, self.unsafe = Path(folder, "kept"), 0, None, False
        self.load = torch.load

    def get_checkpoint(self) -> ray.train.Checkpoint | None:
        return ray.train.Checkpoint.from_directory(self.kept) if self.kept.exists() else None

    def report(self, metrics: dict, checkpoint=None, **_: object) -> None:
        assert checkpoint is not None, (
            "report() got no checkpoint: report(metrics, checkpoint=Checkpoint.from_directory(..))"
        )
        assert any(Path(checkpoint.path).iterdir()), "the reported folder is empty: save into it"
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(checkpoint.path, self.kept)
        self.reports += 1
        if self.reports == self.stop:
            raise Stopped

    def torch_load(self, *given, **options):
        self.unsafe |= options.get("weights_only") is False
        return self.load(*given, **options)


def trained(attempt, stop: int | None, **config: float) -> tuple[torch.Tensor, int]:
    """The weights, and the epochs that were reported after the stop."""
    names = ("get_checkpoint", "report", "get_context")
    before = {name: getattr(ray.train, name) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        made = StandIn(folder)
        alone = SimpleNamespace(get_world_rank=lambda: 0, get_world_size=lambda: 1)
        new = dict(get_checkpoint=made.get_checkpoint, report=made.report)
        new |= dict(get_context=lambda: alone)
        scope = attempt.train.__globals__
        bound = {name: scope[name] for name in names if name in scope}
        try:
            for name in names:
                setattr(ray.train, name, new[name])
                if name in bound:
                    scope[name] = new[name]
            torch.load, made.stop = made.torch_load, stop
            if stop:
                try:
                    attempt.train(dict(epochs=EPOCHS, **config))
                except Stopped:
                    made.reports, made.stop = 0, None
            weights = attempt.train(dict(epochs=EPOCHS, **config))
        finally:
            torch.load = made.load
            scope.update(bound)
            for name in names:
                setattr(ray.train, name, before[name])
        assert not made.unsafe, "weights_only=False runs whatever code a file holds: leave it out"
        return weights, made.reports


def check(attempt) -> str:
    cases = {
        "the weights of the model are not restored": dict(momentum=0.0, dropout=0.0),
        "the optimizer's state (its momentum) is missing": dict(momentum=0.9, dropout=0.0),
        "the random state, from which dropout draws, is missing": dict(momentum=0.9, dropout=0.5),
    }
    for missing, config in cases.items():
        whole, reports = trained(attempt, None, **config)
        assert reports == EPOCHS, f"{EPOCHS} epochs made {reports} reports: one after every epoch"
        weights, again = trained(attempt, STOP, **config)
        assert again == EPOCHS - STOP, (
            f"stopped after epoch {STOP} of {EPOCHS}, it did {again} more epochs, not"
            f" {EPOCHS - STOP}: keep the epoch in the checkpoint"
        )
        assert torch.equal(weights, whole), f"the resumed run ends with other weights: {missing}"
    return f"stopped after {STOP} of {EPOCHS} epochs and resumed: the same weights, bit for bit"
