"""A network learns from photographs that take longer to decode than to learn from: Ray Data.

    python ray_train/09_data_ingest_ray.py

`ready` is from the command to the end of the first step, which the last line leaves out.
Last line: 15 steps in 5.84 s (2.6 steps/s), answer 0.371281
"""

import sys  # NEW:
import time
from pathlib import Path

import numpy as np
import psutil
import torch
import torch.distributed as dist
import torchvision
import typer
from matplotlib.figure import Figure
from PIL import Image, ImageEnhance
from torch.nn.functional import cross_entropy

import ray  # NEW:
from ray.train import DataConfig, RunConfig, ScalingConfig  # NEW:
from ray.train.torch import TorchTrainer, prepare_model  # NEW:

BATCH, SIZE = 16, 64  # photographs in a step, of all workers; pixels that are learned from
PHOTOS, FOLDER = "out/samples/photos", "out/ray_train/09_data_ingest"


def plan(steps: int, seed: int) -> list[dict]:
    """The photographs of all steps in their order, each with the seed of its augmentation."""
    paths, rng = sorted(Path(PHOTOS).absolute().glob("*/*.jpg")), np.random.default_rng(seed)
    if steps < 2 or not paths:
        raise typer.BadParameter(f"--steps starts at 2; photographs in {PHOTOS}: make samples")
    drawn = rng.integers(len(paths), size=steps * BATCH)
    return [dict(path=str(paths[n]), seed=seed + k) for k, n in enumerate(drawn)]


def augment(path: str, seed: int) -> np.ndarray:
    """A random square of the photograph in other colours, flipped or not."""
    photo, rng = Image.open(path).convert("RGB"), np.random.default_rng(seed)
    side = int(min(photo.size) * rng.uniform(0.5, 1))
    x, y = (int(rng.integers(length - side + 1)) for length in photo.size)
    photo = photo.resize((SIZE, SIZE), box=(x, y, x + side, y + side))
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        photo = enhancer(photo).enhance(rng.uniform(0.6, 1.4))
    pixels = np.asarray(photo)[:, :: rng.choice([-1, 1])].transpose(2, 0, 1)
    return np.ascontiguousarray(pixels)  # another layout would have other roundings


def preprocess(rows: dict) -> dict:
    pixels = np.stack([augment(*row) for row in zip(rows["path"], rows["seed"], strict=True)])
    label = np.array([Path(path).parent.name == "flower" for path in rows["path"]], dtype=np.int64)
    return dict(pixels=pixels, label=label)


def train(config: dict) -> dict:
    """One worker: STEPS batches, and for each when it was asked for, there, and learned from."""
    workers, device = dist.get_world_size(), ray.train.torch.get_device()  # NEW:
    torch.manual_seed(config["seed"])
    model = torchvision.models.resnet18(num_classes=2)  # NEW: on the device by prepare_model
    model = prepare_model(model)  # NEW:
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    shard = ray.train.get_dataset_shard("train")  # NEW:
    loader = shard.iter_torch_batches(batch_size=BATCH // workers)  # NEW:
    batches, spans, losses = iter(loader), [], []
    for _ in range(config["steps"]):
        asked = time.time()
        batch = next(batches)
        there = time.time()
        pixels, label = (torch.as_tensor(batch[key]).to(device) for key in ("pixels", "label"))
        loss = cross_entropy(model(pixels / 255), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        spans.append((asked, there, time.time()))
    total = torch.tensor([sum(losses) / len(losses) / workers], dtype=torch.float64).to(device)
    dist.all_reduce(total)
    return dict(spans=spans, losses=losses, loss=total.item())


def draw(spans: list[tuple], name: str) -> None:
    """What the training process did, moment by moment, from the end of the first step."""
    figure = Figure(figsize=(9, 1.8), layout="tight")
    axes, start = figure.subplots(), spans[0][2]
    for what, color, k in (("waits for data", "tab:red", 0), ("computes", "tab:green", 1)):
        bars = [(span[k] - start, span[k + 1] - span[k]) for span in spans[1:]]
        axes.broken_barh(bars, (0, 1), color=color, label=what)
    axes.set(xlabel="seconds", yticks=[], title=name)
    axes.legend(loc="upper right")
    Path(FOLDER).mkdir(parents=True, exist_ok=True)
    figure.savefig(f"{FOLDER}/{name}.png", dpi=120)


def main(steps: int = 16, workers: int = 1, gpu: bool = False, seed: int = 42) -> dict:
    """STEPS batches of 16 photographs from out/samples; the CPUs that are left in Ray decode."""
    rows = plan(steps, seed)
    if workers not in (1, 2, 4, 8) or (gpu and torch.cuda.device_count() < workers):
        raise typer.BadParameter("--workers: 1, 2, 4, 8; --gpu: one a worker")

    config = dict(steps=steps, seed=seed)
    command = psutil.Process().create_time()
    ray.init()  # NEW:
    there = ray.cluster_resources()  # NEW:
    if there["CPU"] < workers + 1 or (gpu and there.get("GPU", 0) < workers):  # NEW:
        raise typer.BadParameter("Ray has too few CPUs (one for data) or GPUs: --workers")  # NEW:
    ray.data.DataContext.get_current().enable_progress_bars = sys.stdout.isatty()  # NEW:
    in_turn = ray.data.ExecutionOptions(preserve_order=True)  # NEW: not first decoded, first served
    data = ray.data.from_items(rows, override_num_blocks=steps * workers)  # NEW:
    data = data.map_batches(preprocess, batch_size=BATCH // workers, num_cpus=0.5)  # NEW:
    scaling = ScalingConfig(num_workers=workers, use_gpu=gpu)  # NEW:
    kept = RunConfig(storage_path=Path(FOLDER).absolute(), name="run")  # NEW:
    given = dict(train_loop_config=config, scaling_config=scaling, run_config=kept)  # NEW:
    in_turn = DataConfig(execution_options=in_turn)  # NEW:
    given |= dict(datasets={"train": data}, dataset_config=in_turn)  # NEW:
    done = TorchTrainer(train, **given).fit().return_value  # NEW:

    spans, items = done["spans"], steps - 1
    draw(spans, "Ray Data")
    ready, took = spans[0][2] - command, spans[-1][2] - spans[0][2]
    waited = sum(there - asked for asked, there, _ in spans[1:])
    answer = f"{done['loss']:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"waited for data {waited:.2f} s of {took:.2f} s ({waited / took:.0%})")
    print(f"{items} steps in {took:.2f} s ({items / took:.1f} steps/s), answer {answer}")
    figures = dict(items=items, unit="steps", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(waited=waited, spans=spans, losses=done["losses"])


if __name__ == "__main__":
    typer.run(main)
