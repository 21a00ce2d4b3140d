"""FSDP2 holds half of what DDP holds, learns the same, and its checkpoint is one again."""

import runpy
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException

from support import Call, as_attendee, refusal, twins
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_train/06_sharded_{twin}.py" for twin in ("baseline", "ray"))
FOLDER = ROOT / "out/ray_train/06_sharded"
STEPS = 20  # the default
TOLERANCE = 1e-5  # of a loss; with two workers the difference was 0 in all runs


def kept(twin: Path, folder: Path) -> Path:
    """A copy of what the twin left: the next run takes the folder."""
    return Path(shutil.copytree(FOLDER, folder / Path(twin).stem))


@pytest.fixture(scope="module", params=twins(BASELINE, RAY))
def run_of(request, tmp_path_factory) -> tuple[Call, Path]:
    call = as_attendee(request.param)
    return call, kept(request.param, tmp_path_factory.mktemp("kept"))


def loaded(checkpoint: Path) -> dict:
    """Its parameters in this process, which is in no group."""
    state = runpy.run_path(str(ROOT / RAY))["network"]().state_dict()
    dcp.load(state, checkpoint_id=checkpoint)
    return state


def test_fsdp_holds_half_of_what_ddp_holds(run_of) -> None:
    found = run_of[0].figures["strategies"]
    held = {name: each["parameters"] + each["optimizer"] for name, each in found.items()}
    whole = sum(p.nbytes for p in runpy.run_path(str(ROOT / RAY))["network"]().parameters())
    assert found["ddp"]["parameters"] == whole
    assert 2 * whole <= found["ddp"]["optimizer"] < 2.01 * whole, "two moments a parameter"
    assert 0.5 <= held["fsdp"] / held["ddp"] <= 0.55


def test_the_same_losses(run_of) -> None:
    ddp, fsdp = (run_of[0].figures["strategies"][name]["losses"] for name in ("ddp", "fsdp"))
    assert len(ddp) == STEPS and ddp[-1] < ddp[0]
    assert fsdp == pytest.approx(ddp, rel=TOLERANCE)


def test_the_parts_load_into_one_process(run_of) -> None:
    call, folder = run_of
    found = call.figures["strategies"]
    states = {name: loaded(folder / name) for name in ("ddp", "fsdp")}
    for name, each in found.items():
        assert each["reloaded"] == each["digest"]
        assert each["digest"] in call.run.stdout
        assert sorted(p.name for p in (folder / name).glob("*.distcp")) == [
            "__0_0.distcp",
            "__1_0.distcp",
        ]
        digest = runpy.run_path(str(ROOT / RAY))["digest"]
        assert digest(states[name]) == each["digest"]
    for name, ddp in states["ddp"].items():
        torch.testing.assert_close(states["fsdp"][name], ddp, rtol=0, atol=TOLERANCE)
    fresh = runpy.run_path(str(ROOT / RAY))["network"]().state_dict()
    assert any(not torch.equal(fresh[name], t) for name, t in states["fsdp"].items())


def test_one_part_alone_is_no_checkpoint(run_of, tmp_path) -> None:
    half = Path(shutil.copytree(run_of[1] / "fsdp", tmp_path / "half"))
    (half / "__1_0.distcp").unlink()
    with pytest.raises(CheckpointException, match="No such file"):
        loaded(half)


@pytest.mark.thorough
def test_one_worker_holds_everything(call) -> None:
    found = call(RAY, steps=2, workers=1).figures["strategies"]
    assert found["fsdp"]["parameters"] == found["ddp"]["parameters"]
    assert found["fsdp"]["losses"] == pytest.approx(found["ddp"]["losses"], rel=TOLERANCE)
    assert all(each["reloaded"] == each["digest"] for each in found.values())


@pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
def test_zero_shards_as_it_says(call) -> None:
    stages = ["zero1", "zero2", "zero3"]
    found = call(BASELINE, steps=6, strategy=",".join(["ddp", *stages])).figures["strategies"]
    for stage in stages:
        assert found[stage]["optimizer"] / found["ddp"]["optimizer"] <= 0.55
        assert found[stage]["losses"] == pytest.approx(found["ddp"]["losses"], rel=1e-3)
    assert found["zero2"]["parameters"] == found["ddp"]["parameters"]
    assert found["zero3"]["parameters"] / found["ddp"]["parameters"] <= 0.6, "small ones stay whole"


@pytest.mark.parametrize("flags", [("--strategy", "ddp,tp"), ("--strategy", "zero1")])
def test_refused_before_anything_starts(flags) -> None:
    if flags[1] == "zero1" and find_spec("deepspeed"):
        pytest.skip("DeepSpeed is installed")
    assert ("[deepspeed]" if flags[1] == "zero1" else "--strategy") in refusal(RAY, *flags)
