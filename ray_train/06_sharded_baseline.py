"""Four million parameters in two processes: DDP holds all of them twice, FSDP2 holds them once.

    python ray_train/06_sharded_baseline.py
    python ray_train/06_sharded_baseline.py --strategy ddp,fsdp,zero1,zero2,zero3  # with DeepSpeed

The strategies train the same transformer on the same batches; the table says what a worker holds.
The answer is the mean of their last losses; the last line leaves out each one's first step.
Last line: 2432 samples in 5.13 s (474.4 samples/s), answer 0.426375
"""

import hashlib
import importlib.util
import os
import shutil
import time
from pathlib import Path

import psutil
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import typer
from sklearn.datasets import load_digits
from torch import nn
from torch.distributed.checkpoint.state_dict import get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.launcher import LaunchConfig, elastic_launch
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

BATCH, WIDTH, LAYERS, LEARNING_RATE = 64, 256, 3, 3e-4
STRATEGIES = "ddp", "fsdp", "zero1", "zero2", "zero3"
FOLDER = Path("out/ray_train/06_sharded").absolute()


def network() -> nn.Sequential:
    """A transformer to which each row of an 8x8 picture is a token."""
    kind = dict(nhead=4, dropout=0.0, batch_first=True, norm_first=True)
    layers = [nn.TransformerEncoderLayer(WIDTH, **kind) for _ in range(LAYERS)]
    return nn.Sequential(nn.Linear(8, WIDTH), *layers, nn.Flatten(), nn.Linear(8 * WIDTH, 10))


def spread(strategy: str, model: nn.Sequential, device: torch.device) -> tuple:
    """The model and its AdamW as the strategy spreads them over the workers, and what steps."""
    if strategy == "ddp":
        model = DistributedDataParallel(model)
    elif strategy == "fsdp":
        mesh = init_device_mesh(device.type, (dist.get_world_size(),))
        for part in (*model[1 : LAYERS + 1], model):  # a layer's parameters are gathered together
            fully_shard(part, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    if not strategy.startswith("zero"):
        return model, optimizer, optimizer
    os.environ["DS_ACCELERATOR"] = device.type
    import deepspeed

    settings = dict(train_micro_batch_size_per_gpu=1, zero_optimization={"stage": int(strategy[4])})
    settings["gradient_clipping"] = 0.0  # left out, DeepSpeed clips at 1.0 and torch does not
    given = dict(optimizer=optimizer, config=settings, dist_init_required=False)
    engine, optimizer, *_ = deepspeed.initialize(model=model, **given)
    return engine, optimizer, engine


def held(tensors) -> int:
    """Bytes on this worker: of a sharded tensor (DeepSpeed's has a ds_tensor) its own shard."""
    local = [t.to_local() if hasattr(t, "to_local") else t for t in tensors]
    return sum(t.nbytes for t in (*local, *(t.ds_tensor for t in local if hasattr(t, "ds_tensor"))))


def digest(state: dict) -> str:
    """Of all parameters, to the last bit: shards are gathered, so every worker must call it."""
    whole = [t.full_tensor() if hasattr(t, "full_tensor") else t for t in state.values()]
    return hashlib.sha256(b"".join(t.cpu().numpy().tobytes() for t in whole)).hexdigest()[:8]


def train(config: dict) -> dict:
    """One worker of the run: the strategies one after the other, each with a fresh model."""
    dist.init_process_group("nccl" if config["gpu"] else "gloo")
    rank, workers = dist.get_rank(), dist.get_world_size()
    device = torch.device("cuda", rank) if config["gpu"] else torch.device("cpu")
    if config["gpu"]:
        torch.cuda.set_device(device)
    digits = load_digits()
    pixels, labels = torch.tensor(digits.images).float() / 16, torch.tensor(digits.target).long()
    first_step, done = None, {}
    for strategy in config["strategies"]:
        torch.manual_seed(config["seed"])
        batches = torch.randint(len(pixels), (config["steps"], BATCH))
        model, optimizer, stepper = spread(strategy, network().to(device), device)
        losses, ends = [], []
        for rows in batches[:, rank::workers]:
            loss = cross_entropy(model(pixels[rows].to(device)), labels[rows].to(device))
            optimizer.zero_grad()
            loss.backward()
            stepper.step()
            mean = loss.detach().double() / workers
            dist.all_reduce(mean)
            losses.append(mean.item())
            ends.append(time.perf_counter())
            first_step = first_step or time.time()
        found = done[strategy] = dict(losses=losses, digest="", reloaded="")
        found |= dict(parameters=held(model.parameters()), seconds=ends[-1] - ends[0])
        found["optimizer"] = held(t for each in optimizer.state.values() for t in each.values())
        if strategy in ("ddp", "fsdp"):
            state = get_model_state_dict(model)  # of fsdp: this worker's shards
            found["digest"] = digest(state)
            dcp.save(state, checkpoint_id=FOLDER / strategy)
    dist.destroy_process_group()
    return dict(strategies=done, first_step=first_step)


def main(
    steps: int = 20, workers: int = 2, strategy: str = "ddp,fsdp", gpu: bool = False, seed: int = 42
) -> dict:
    """STEPS of AdamW with each STRATEGY, of ddp, fsdp, zero1, zero2, zero3 (a comma between)."""
    config = dict(steps=steps, strategies=strategy.split(","), gpu=gpu, seed=seed)
    if steps < 2 or not 1 <= workers <= BATCH or not set(config["strategies"]) <= set(STRATEGIES):
        raise typer.BadParameter(f"--steps from 2, --workers from 1, --strategy: {STRATEGIES}")
    if gpu and torch.cuda.device_count() < workers:
        raise typer.BadParameter("--gpu: one for every worker")
    if "zero" in strategy and not importlib.util.find_spec("deepspeed"):
        raise typer.BadParameter("zero1 to zero3 are DeepSpeed's: pip install -e '.[deepspeed]'")

    command = psutil.Process().create_time()
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.environ["OMP_NUM_THREADS"] = "1"  # as torchrun sets it
    launch = LaunchConfig(1, 1, workers, rdzv_backend="c10d", rdzv_endpoint="localhost:0")
    launch.run_id, launch.max_restarts = "06_sharded", 0
    done = elastic_launch(launch, train)(config)[0]

    found, ready = done["strategies"], done["first_step"] - command
    for name, each in found.items():
        if each["digest"]:
            state = network().state_dict()
            dcp.load(state, checkpoint_id=FOLDER / name)
            each["reloaded"] = digest(state)
    print("a worker holds  parameters       AdamW  seconds  last loss  trained as  loaded")
    for name, each in found.items():
        megabytes = "".join(f"{each[what] / 1e6:9.2f} MB" for what in ("parameters", "optimizer"))
        digests = f"{each['digest']:10}  {each['reloaded']}"
        print(f"{name:14}{megabytes}{each['seconds']:9.2f}   {each['losses'][-1]:.6f}  {digests}")
    seconds, samples = sum(e["seconds"] for e in found.values()), BATCH * (steps - 1) * len(found)
    loss = sum(each["losses"][-1] for each in found.values()) / len(found)
    rate, answer = samples / seconds, f"{loss:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"{samples} samples in {seconds:.2f} s ({rate:.1f} samples/s), answer {answer}")
    figures = dict(items=samples, unit="samples", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, strategies=found)


if __name__ == "__main__":
    typer.run(main)
