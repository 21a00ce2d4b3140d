"""ResNet-18 learns handwritten digits in two processes: Ray Train starts them and joins them.

    python ray_train/01_ddp_ray.py

Same seed, same order of samples, same loss to the last bit. `ready` is from the command to the
first step; the last line leaves out the first epoch, in which memory and kernels warm up.
Last line: 5376 samples in 11.40 s (471.4 samples/s), answer 0.007735
"""

import os
import time
from pathlib import Path  # NEW:

import psutil
import torch
import torch.distributed as dist
import torchvision
import typer
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy, interpolate
from torch.utils.data import DataLoader, TensorDataset

import ray  # NEW:
from ray.train import RunConfig, ScalingConfig  # NEW:
from ray.train.torch import TorchTrainer, prepare_data_loader, prepare_model  # NEW:

BATCH, LEARNING_RATE = 128, 0.01
DATASETS = {"fashion-mnist": "FashionMNIST", "cifar10": "CIFAR10"}  # torchvision's, by network


def images(dataset: str) -> TensorDataset:
    """Pixels (n, channels, 32, 32) from 0 to 1, and labels 0 to 9."""
    if dataset == "digits":
        digits = load_digits()
        pixels, labels = torch.tensor(digits.images)[:, None] / 16, digits.target
    else:
        found = getattr(torchvision.datasets, DATASETS[dataset])("out/datasets", download=True)
        pixels = torch.as_tensor(found.data).reshape(len(found), *found.data.shape[1:3], -1)
        pixels, labels = pixels.permute(0, 3, 1, 2) / 255, found.targets
    return TensorDataset(interpolate(pixels.float(), (32, 32)), torch.as_tensor(labels).long())


def network(name: str, channels: int) -> torch.nn.Module:
    if name == "mlp":
        layers = torch.nn.Linear(channels * 1024, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)
        return torch.nn.Sequential(torch.nn.Flatten(), *layers)
    model = torchvision.models.resnet18(num_classes=10)
    model.conv1 = torch.nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    return model


def train(config: dict) -> dict:
    """One worker of the run: every worker holds the model and sees its share of each batch."""
    workers, device = dist.get_world_size(), ray.train.torch.get_device()  # NEW:
    data = images(config["dataset"])
    torch.manual_seed(config["seed"])
    model = network(config["model"], data[0][0].shape[0])  # NEW: on the device by prepare_model
    model = prepare_model(model)  # NEW:
    loader = DataLoader(data, BATCH // workers, shuffle=True, drop_last=True)  # NEW:
    loader = prepare_data_loader(loader)  # NEW:
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=0.9)
    first_step, losses, ends = None, [], []
    for epoch in range(config["epochs"]):
        if workers > 1:
            loader.sampler.set_epoch(epoch)  # NEW:
        total = torch.zeros(2, dtype=torch.float64)
        for pixels, labels in loader:
            loss = cross_entropy(model(pixels), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += torch.tensor([loss.item() * len(labels), len(labels)])
            first_step = first_step or time.time()
        total = total.to(device)
        dist.all_reduce(total)
        losses.append((total[0] / total[1]).item())
        ends.append(time.perf_counter())
        if dist.get_rank() == 0:
            print(f"epoch {epoch}: loss {losses[-1]!r}", flush=True)
    samples = int(total[1]) * (config["epochs"] - 1)
    return dict(samples=samples, seconds=ends[-1] - ends[0], first_step=first_step, losses=losses)


def main(
    epochs: int = 4,
    workers: int = 2,
    dataset: str = "digits",
    model: str = "resnet18",
    gpu: bool = False,
    seed: int = 42,
) -> dict:
    """EPOCHS over digits, fashion-mnist or cifar10, with the model resnet18 or mlp."""
    if epochs < 2 or not 1 <= workers <= BATCH or model not in ("resnet18", "mlp"):
        raise typer.BadParameter("--epochs starts at 2, --workers at 1; --model: resnet18, mlp")
    if dataset not in ("digits", *DATASETS) or (gpu and torch.cuda.device_count() < workers):
        raise typer.BadParameter("--dataset: digits, fashion-mnist, cifar10; --gpu: one a worker")
    try:
        images(dataset)
    except (OSError, RuntimeError) as error:
        raise typer.BadParameter(f"{dataset} could not be downloaded: {error}") from None

    config = dict(epochs=epochs, dataset=dataset, model=model, gpu=gpu, seed=seed)
    command = psutil.Process().create_time()  # NEW:
    os.environ["RAY_TRAIN_ENABLE_PRINT_PATCH"] = "0"  # NEW: else what a worker prints comes twice
    ray.init()  # NEW:
    there = ray.cluster_resources()  # NEW:
    if workers > min(there["CPU"], there.get("GPU", 0) if gpu else workers):  # NEW:
        raise typer.BadParameter(f"{workers} workers want more CPUs or GPUs than Ray has")  # NEW:
    scaling = ScalingConfig(num_workers=workers, use_gpu=gpu)  # NEW:
    kept = RunConfig(storage_path=Path("out/ray_train").absolute(), name="01_ddp")  # NEW:
    given = dict(train_loop_config=config, scaling_config=scaling, run_config=kept)  # NEW:
    done = TorchTrainer(train, **given).fit().return_value  # NEW:

    ready, seconds, samples = done["first_step"] - command, done["seconds"], done["samples"]
    rate, answer = samples / seconds, f"{done['losses'][-1]:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"{samples} samples in {seconds:.2f} s ({rate:.1f} samples/s), answer {answer}")
    figures = dict(items=samples, unit="samples", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, losses=done["losses"])


if __name__ == "__main__":
    typer.run(main)
