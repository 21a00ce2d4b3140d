"""torchrun and Ray Train: the same losses, to the last bit; and what they say when refused."""

import re
import subprocess
import sys

import pytest
import torch

from support import as_attendee, refusal

BASELINE, RAY = (f"ray_train/01_ddp_{twin}.py" for twin in ("baseline", "ray"))
MLP = {"epochs": 2, "model": "mlp", "workers": 1, "seed": 5}


def losses(stdout: str) -> list[float]:
    found = re.findall(r"epoch (\d+): loss (\S+)", stdout)
    by_epoch = {int(epoch): float(loss) for epoch, loss in found}
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


@pytest.mark.thorough
@pytest.mark.parametrize("given", [None, MLP], ids=["resnet18", "mlp"])
def test_the_same_losses_to_the_last_bit(call, given) -> None:
    """Of resnet18 in two workers, and of another model in one."""
    by_torch, by_ray = (
        call(script, **given) if given else as_attendee(script) for script in (BASELINE, RAY)
    )
    found = by_ray.figures["losses"]
    assert by_torch.figures["losses"] == found
    assert found[-1] < 0.9 * found[0], "it does not learn"
    assert losses(by_torch.run.stdout) == losses(by_ray.run.stdout) == found
    assert len(found) == (2 if given else 4)
    assert by_ray.figures["items"] == 1792 * (len(found) - 1), "whole batches, after one epoch"


@pytest.mark.thorough
def test_torchrun_gives_what_plain_python_gives(call) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    flags = ["--model", "mlp", "--epochs", "3"]
    command = [*torchrun, "--nproc-per-node", "2", BASELINE, *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    plain = call(BASELINE, model="mlp", epochs=3)
    assert losses(done.stdout) == plain.figures["losses"]
    assert done.stdout.count("answer") == 1, "only rank 0 prints"


@pytest.mark.parametrize("script", [BASELINE, RAY])
@pytest.mark.parametrize("flags", [("--dataset", "cats"), ("--model", "vit"), ("--workers", "0")])
def test_refused_before_anything_starts(script, flags) -> None:
    assert flags[0] in refusal(script, *flags)


def test_more_workers_than_cpus_is_said_not_waited_for(run) -> None:
    refused = run(RAY, "--workers", "64")
    assert refused.exit_code == 2
    assert "64 workers want more CPUs" in " ".join(refused.stderr.replace("│", " ").split())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("script", [BASELINE, RAY])
def test_no_gpu_is_said_not_waited_for(script) -> None:
    assert "--gpu" in refusal(script, "--gpu")
