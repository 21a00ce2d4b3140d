"""A checkpoint after every epoch, by hand: one file, by rank 0, put in place in one step. A run
that was stopped goes on with --resume and ends with the loss of one that was never stopped.

    python ray_train/02_checkpoint_baseline.py --epochs 5
    python ray_train/02_checkpoint_baseline.py --resume

`ready` is from the command to the first step; the last line counts saving as well.
Last line: 14376 samples in 4.25 s (3382.4 samples/s), answer 0.084941
"""

import os
import time
from pathlib import Path
from pickle import UnpicklingError
from statistics import median

import psutil
import torch
import torch.distributed as dist
import typer
from sklearn.datasets import load_digits
from torch import nn
from torch.distributed.launcher import LaunchConfig, elastic_launch
from torch.nn.functional import cross_entropy, interpolate
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

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


def save(state: dict, file: Path) -> None:
    """In one step: whenever the process dies, the file is the old checkpoint or the new one."""
    torch.save(state, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


def train(config: dict) -> dict:
    """One worker: every worker loads the checkpoint, rank 0 saves it."""
    dist.init_process_group("nccl" if config["gpu"] else "gloo")
    workers, local_rank = dist.get_world_size(), int(os.environ["LOCAL_RANK"])
    device = torch.device("cuda", local_rank) if config["gpu"] else torch.device("cpu")
    if config["gpu"]:
        torch.cuda.set_device(device)
    data, file = images(), Path(config["folder"], "state.pt")
    sampler = DistributedSampler(data, seed=config["seed"])
    loader = DataLoader(data, BATCH // workers, sampler=sampler)
    plain = network(config["seed"]).to(device)
    model = DistributedDataParallel(plain)
    optimizer = torch.optim.SGD(plain.parameters(), LEARNING_RATE, momentum=0.9)
    losses, saving, start = [], [], time.time()
    source = torch.cuda if config["gpu"] else torch  # of the random numbers of dropout
    if config["resume"]:
        state = torch.load(file, map_location="cpu", weights_only=True)
        plain.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        source.set_rng_state(state["random"])  # all ranks draw alike: rank 0's will do
        losses = state["losses"]
    for epoch in range(len(losses), config["epochs"]):
        sampler.set_epoch(epoch)
        total = torch.zeros(2, dtype=torch.float64)
        for pixels, labels in loader:
            pixels, labels = pixels.to(device), labels.to(device)
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
        if dist.get_rank() == 0:
            print(f"epoch {epoch}: loss {losses[-1]!r}", flush=True)
            save(state, file)
        saving.append(time.perf_counter() - begin)
    dist.destroy_process_group()
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
    folder, done = Path("out/ray_train").absolute() / "02_checkpoint_baseline", 0
    if resume:
        try:
            done = len(torch.load(folder / "state.pt", weights_only=True)["losses"])
        except (OSError, UnpicklingError) as error:
            raise typer.BadParameter(f"nothing to resume, run it without first: {error}") from None
    if done >= epochs:
        raise typer.BadParameter(f"{done} epochs are done: --resume wants more --epochs")
    folder.mkdir(parents=True, exist_ok=True)

    config = dict(epochs=epochs, folder=folder, resume=resume, gpu=gpu, seed=seed)
    command = psutil.Process().create_time()
    os.environ["OMP_NUM_THREADS"] = "1"  # as torchrun sets it
    launch = LaunchConfig(1, 1, workers, rdzv_backend="c10d", rdzv_endpoint="localhost:0")
    launch.run_id, launch.max_restarts = "02_checkpoint", 0
    found = elastic_launch(launch, train)(config)[0]
    size = (folder / "state.pt").stat().st_size / 1e6

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
