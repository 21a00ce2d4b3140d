"""Stopped and resumed is the same, to the last bit, as never stopped; and what V2 does silently."""

import os
import re
import runpy
from pathlib import Path

import pytest
import torch

from support import SHARED, as_attendee, call_main, refusal, twins
from workshop.lessons import ROOT
from workshop.runner import run_script

BASELINE, RAY = (ROOT / f"ray_train/02_checkpoint_{kind}.py" for kind in ("baseline", "ray"))
EPOCHS, SEED = 8, 42  # the defaults
STOP, DIGITS = 1, 1797

SILENT = """
import json, sys, tempfile, time
import ray, ray.air.session, ray.train
from ray.train import Checkpoint, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

def train():
    with tempfile.TemporaryDirectory() as folder:
        ray.air.session.report({"loss": 3.0}, checkpoint=Checkpoint.from_directory(folder))
    begin = time.perf_counter()
    for loss in (2.0, 1.0, 0.5):
        ray.train.report({"loss": loss})
    return time.perf_counter() - begin

ray.init()
run = RunConfig(storage_path=sys.argv[1], name="silent")
result = TorchTrainer(train, scaling_config=ScalingConfig(num_workers=1), run_config=run).fit()
print("FOUND", json.dumps([result.metrics, result.checkpoint, result.return_value]))
"""


def called(script: Path, folder: Path, **arguments) -> dict:
    """What main() returned; the script runs in FOLDER, and so its checkpoints are there."""
    arguments = dict(epochs=EPOCHS, seed=SEED) | arguments
    return call_main(script, arguments, SHARED.env(), cwd=folder).figures


@pytest.fixture(scope="module")
def never_stopped() -> list[float]:
    losses = as_attendee(RAY).figures["losses"]
    assert len(losses) == EPOCHS
    return losses


@pytest.fixture(scope="module", params=twins(BASELINE, RAY))
def resumed(request, tmp_path_factory) -> tuple[Path, dict, bytes]:
    """The checkpoint of a run that was resumed, its figures, and the file that it began with."""
    folder, pattern = tmp_path_factory.mktemp("resumed"), "out/ray_train/**/state.pt"
    called(request.param, folder, epochs=STOP)
    (first,) = folder.glob(pattern)
    before = first.read_bytes()
    figures = called(request.param, folder, resume=True)
    return max(folder.glob(pattern), key=lambda file: file.stat().st_mtime), figures, before


def test_resumed_is_as_never_stopped(resumed, never_stopped) -> None:
    _, figures, _ = resumed
    assert figures["losses"] == never_stopped
    assert figures["done"] == STOP
    assert figures["items"] == DIGITS * (EPOCHS - STOP)


def test_all_that_the_next_epoch_needs_is_in_the_checkpoint(resumed, never_stopped) -> None:
    state = torch.load(resumed[0], weights_only=True)
    assert set(state) == {"model", "optimizer", "random", "losses"}
    assert state["losses"] == never_stopped
    assert state["optimizer"]["state"][0]["momentum_buffer"].abs().sum() > 0


def test_ray_keeps_two_checkpoints_and_by_hand_there_is_one(resumed) -> None:
    file = resumed[0]
    if "baseline" in str(file):
        assert [path.name for path in file.parent.iterdir()] == ["state.pt"]
    else:
        assert len(list(file.parent.parent.glob("checkpoint_2*"))) == 2


def test_without_the_random_state_the_losses_differ(resumed, never_stopped, tmp_path) -> None:
    file, _, before = resumed
    if "baseline" not in str(file):
        pytest.skip("the same state as the baseline's")
    old = tmp_path / "out/ray_train/02_checkpoint_baseline/state.pt"
    old.parent.mkdir(parents=True)
    old.write_bytes(before)
    other = torch.Generator().manual_seed(1).get_state()
    torch.save(torch.load(old, weights_only=True) | {"random": other}, old)
    losses = called(BASELINE, tmp_path, resume=True, epochs=STOP + 1)["losses"]
    assert losses[:STOP] == never_stopped[:STOP]
    assert losses[STOP] != never_stopped[STOP]


def test_killed_before_the_replace_the_old_file_is_whole(tmp_path, monkeypatch) -> None:
    save, file = runpy.run_path(str(BASELINE))["save"], tmp_path / "state.pt"
    save({"losses": [1.0]}, file)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        save({"losses": [1.0, 0.5]}, file)
    assert torch.load(file, weights_only=True) == {"losses": [1.0]}


class Trap:
    """What a pickle can do to whoever loads it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.file),)


def test_a_checkpoint_cannot_run_code(tmp_path, monkeypatch) -> None:
    file = tmp_path / "out/ray_train/02_checkpoint_baseline/state.pt"
    file.parent.mkdir(parents=True)
    torch.save({"losses": Trap(tmp_path / "ran")}, file)
    monkeypatch.chdir(tmp_path)
    assert "nothing to resume, run it without first" in refusal(BASELINE, "--resume")
    assert not (tmp_path / "ran").exists()
    for script in (BASELINE, RAY):
        loads = re.findall(r"torch\.load\(.*", script.read_text())
        assert loads and all("weights_only=True" in load for load in loads)


@pytest.mark.parametrize("script", [BASELINE, RAY], ids=["baseline", "ray"])
def test_nothing_to_resume_is_said_before_ray_starts(script, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "nothing to resume, run it without first" in refusal(script, "--resume")


def test_nothing_is_left_to_do(resumed, monkeypatch) -> None:
    file = resumed[0]
    script = BASELINE if "baseline" in str(file) else RAY
    monkeypatch.chdir(next(path.parent for path in file.parents if path.name == "out"))
    said = refusal(script, "--epochs", str(EPOCHS), "--resume")
    assert f"{EPOCHS} epochs are done" in said


@pytest.mark.thorough
def test_what_train_v2_does_without_a_word(tmp_path) -> None:
    """The three silent failures of the README, in one run; Ray's own poll of 2 s."""
    script = tmp_path / "silent.py"
    script.write_text(SILENT)
    run = run_script(script, str(tmp_path / "kept"), env=SHARED.env(), timeout=120)
    assert run.exit_code == 0, run.stderr[-2000:]
    found = re.search(r"FOUND \[null, null, ([\d.]+)\]", run.stdout)
    assert found, "metrics without a checkpoint, or the old session's checkpoint, were kept"
    assert not list((tmp_path / "kept").glob("silent/checkpoint_2*"))
    assert float(found[1]) > 1.9, "the third report did not wait for a poll"
