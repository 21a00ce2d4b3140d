"""A checkpoint after every epoch, on Ray: report() stores it, get_checkpoint() finds it. A run
that was stopped goes on under the same name and ends with the loss of one that never was.

    python ray_train/02_checkpoint_ray.py --epochs 5
    python ray_train/02_checkpoint_ray.py --resume

`ready` is from the command to the first step; the last line counts saving as well.
Last line: 14376 samples in 4.14 s (3473.0 samples/s), answer 0.084941
"""

import os
import time
from pathlib import Path
from shutil import rmtree  # NEW:
from statistics import median
from tempfile import TemporaryDirectory  # NEW:

import psutil
import torch
import torch.distributed as dist
import typer
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy, interpolate
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import ray  # NEW:
from ray.train import Checkpoint, CheckpointConfig, Result, RunConfig, ScalingConfig  # NEW:
from ray.train.torch import TorchTrainer, prepare_data_loader, prepare_model  # NEW:

BATCH, LEARNING_RATE = 64, 0.02


def images() -> TensorDataset:
    """Handwritten digits: pixels (n, 1, 32, 32) from 0 to 1, and labels 0 to 9."""
    digits = load_digits()
    pixels = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    return TensorDataset(interpolate(pixels, (32, 32)), torch.tensor(digits.target))


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 64, 3), nn.ReLU()
    return nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(2304, 10))


def train(config: dict) -> dict:
    """One worker: every worker loads the checkpoint, rank 0 saves it."""
    workers, device = dist.get_world_size(), ray.train.torch.get_device()  # NEW:
    data = images()  # NEW:
    sampler = DistributedSampler(data, seed=config["seed"])
    loader = prepare_data_loader(DataLoader(data, BATCH // workers, sampler=sampler))  # NEW:
    plain = network(config["seed"]).to(device)
    model = prepare_model(plain)  # NEW:
    optimizer = torch.optim.SGD(plain.parameters(), LEARNING_RATE, momentum=0.9)
    losses, saving, start = [], [], time.time()
    source = torch.cuda if config["gpu"] else torch  # of the random numbers of dropout
    if found := ray.train.get_checkpoint():  # NEW: that of the last report
        with found.as_directory() as folder:  # NEW: downloaded, if it lies in a bucket
            state = torch.load(f"{folder}/state.pt", map_location="cpu", weights_only=True)  # NEW:
        plain.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        source.set_rng_state(state["random"])  # all ranks draw alike: rank 0's will do
        losses = state["losses"]
    for epoch in range(len(losses), config["epochs"]):
        sampler.set_epoch(epoch)
        total = torch.zeros(2, dtype=torch.float64)
        for pixels, labels in loader:
            loss = cross_entropy(model(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += torch.tensor([loss.item() * len(labels), len(labels)])
        total = total.to(device)
        dist.all_reduce(total)
        losses.append((total[0] / total[1]).item())
        begin = time.perf_counter()
        state = dict(model=plain.state_dict(), optimizer=optimizer.state_dict())
        state |= dict(random=source.get_rng_state(), losses=losses)
        with TemporaryDirectory() as folder:  # NEW:
            new, metrics = None, dict(epochs=epoch + 1, loss=losses[-1])  # NEW:
            if dist.get_rank() == 0:  # NEW:
                print(f"epoch {epoch}: loss {losses[-1]!r}", flush=True)  # NEW:
                torch.save(state, Path(folder, "state.pt"))  # NEW:
                new = Checkpoint.from_directory(folder)  # NEW:
            ray.train.report(metrics, checkpoint=new)  # NEW: by every worker, it is a barrier
        saving.append(time.perf_counter() - begin)
    return dict(start=start, end=time.time(), saving=saving, losses=losses)


def main(
    epochs: int = 8,
    workers: int = 2,
    resume: bool = False,
    gpu: bool = False,
    seed: int = 42,
) -> dict:
    """EPOCHS over the digits in all; with --resume those that an earlier run did not do."""
    if epochs < 1 or not 1 <= workers <= BATCH or (gpu and torch.cuda.device_count() < workers):
        raise typer.BadParameter("--epochs and --workers start at 1; --gpu: one a worker")
    folder, done = Path("out/ray_train").absolute() / "02_checkpoint_ray", 0
    if resume:
        try:
            done = Result.from_path(folder).metrics["epochs"]  # NEW:
        except RuntimeError as error:  # NEW:
            raise typer.BadParameter(f"nothing to resume, run it without first: {error}") from None
    if done >= epochs:
        raise typer.BadParameter(f"{done} epochs are done: --resume wants more --epochs")
    if not resume:  # NEW:
        rmtree(folder, ignore_errors=True)  # NEW: what is left of this name would be resumed

    config = dict(epochs=epochs, gpu=gpu, seed=seed)  # NEW:
    command = psutil.Process().create_time()
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")  # NEW: report() waits for it
    os.environ["RAY_TRAIN_ENABLE_PRINT_PATCH"] = "0"  # NEW: else what a worker prints comes twice
    ray.init()  # NEW:
    there = ray.cluster_resources()  # NEW:
    if workers > min(there["CPU"], there.get("GPU", 0) if gpu else workers):  # NEW:
        raise typer.BadParameter(f"{workers} workers want more CPUs or GPUs than Ray has")  # NEW:
    scaling = ScalingConfig(num_workers=workers, use_gpu=gpu)  # NEW:
    keep = CheckpointConfig(num_to_keep=2)  # NEW:
    run = RunConfig(storage_path=folder.parent, name=folder.name, checkpoint_config=keep)  # NEW:
    given = dict(train_loop_config=config, scaling_config=scaling, run_config=run)  # NEW:
    result = TorchTrainer(train, **given).fit()  # NEW:
    found, kept = result.return_value, Path(result.checkpoint.path)  # NEW:
    size = (kept / "state.pt").stat().st_size / 1e6  # NEW:

    ready, seconds = found["start"] - command, found["end"] - found["start"]
    samples, answer = len(images()) * (epochs - done), f"{found['losses'][-1]:.6f}"
    saving, rate = median(found["saving"]), samples / seconds
    print(f"ready in {ready:.1f} s")
    print(f"{done} epochs from a checkpoint; to save {size:.2f} MB took {saving:.3f} s an epoch")
    print(f"{samples} samples in {seconds:.2f} s ({rate:.1f} samples/s), answer {answer}")
    figures = dict(items=samples, unit="samples", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, losses=found["losses"], done=done, saving=saving)


if __name__ == "__main__":
    typer.run(main)
