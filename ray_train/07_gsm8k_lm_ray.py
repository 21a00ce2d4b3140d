"""A language model learns grade-school problems from nothing: two processes, each with a part of
each batch, which Ray Data prepares while they compute; DDP averages their gradients.

    python ray_train/07_gsm8k_lm_ray.py
    python ray_train/07_gsm8k_lm_ray.py --steps 1400

40 steps are enough to see the loss fall, 1400 (some minutes) for a model that gets problems right.
`ready` is from the command to the first step; the last line leaves out that step and the exam.
Last line: 1248 problems in 7.32 s (170.5 problems/s), answer 98.577454
(the answer is the loss on held-out problems: -log of the probability of the whole worked answer)
"""

import os  # NEW:
import time
from collections.abc import Iterator
from pathlib import Path  # NEW:

import psutil
import torch
import torch.distributed as dist  # NEW:
import typer

import ray  # NEW:
from ray.data import DataContext, Dataset, ExecutionOptions  # NEW:
from ray.data.collate_fn import NumpyBatchCollateFn  # NEW:
from ray.train import DataConfig, RunConfig, ScalingConfig  # NEW:
from ray.train.torch import TorchTrainer, get_device, prepare_model  # NEW:

from workshop.offline_data import BATCH, GROUP, batch_of, encoded, group, held_out  # NEW:
from workshop.offline_model import Optimizer, loss_of, new_model, new_tokenizer, padded, solved

EXAM, CHUNK = 120, 60  # held-out problems; so many are answered together


def prepare(rows: dict, words, seed: int, parts: int) -> Iterator[dict]:  # NEW:
    for row in rows["id"].tolist():  # NEW:
        yield from group(words, seed, row // parts, row % parts, parts)  # NEW:


def batches(config: dict) -> Dataset:  # NEW:
    """A block has one part of a group of batches; in their order, the workers get them in turn."""
    words, parts = config["tokenizer"].backend_tokenizer, config["workers"]
    blocks = -(-config["steps"] // GROUP) * parts  # NEW:
    given = dict(words=words, seed=config["seed"], parts=parts)  # NEW:
    ds = ray.data.range(blocks, override_num_blocks=blocks)  # NEW:
    return ds.map_batches(prepare, batch_size=None, fn_kwargs=given)  # NEW:


class Padded(NumpyBatchCollateFn):  # NEW:
    def __call__(self, batch: dict) -> dict:  # NEW:
        return padded(batch)  # NEW: on the device by iter_torch_batches


def train(config: dict) -> dict:
    """One worker: it computes its part of each batch, while the others compute theirs."""
    workers, device = dist.get_world_size(), get_device()  # NEW:
    torch.set_num_threads(1)  # NEW:
    tokenizer, steps = config["tokenizer"], config["steps"]
    plain = new_model(tokenizer, config["seed"]).to(device)
    model = prepare_model(plain)  # NEW:
    optimizer = Optimizer(plain, steps)
    losses, ends = [], []
    shard = ray.train.get_dataset_shard("batches")  # NEW:
    parts = shard.iter_torch_batches(batch_size=BATCH // workers, collate_fn=Padded())  # NEW:
    for step, part in zip(range(steps), parts, strict=False):  # NEW:
        loss = loss_of(model, part)  # NEW:
        loss.backward()  # NEW: and the average over the workers
        losses.append(loss.item())  # NEW:
        optimizer.step()
        ends.append(time.time())
        if (step + 1) % max(10, steps // 20) == 0 and dist.get_rank() == 0:  # NEW:
            print(f"step {step + 1} of {steps}", flush=True)
    losses = torch.tensor(losses, dtype=torch.float64, device=device) / workers  # NEW:
    exam = torch.zeros(2, dtype=torch.float64, device=device)  # NEW:
    for k in range(dist.get_rank() * CHUNK, EXAM, workers * CHUNK):  # NEW:
        problems = held_out()[k : k + CHUNK]
        batch = padded(batch_of(encoded(tokenizer.backend_tokenizer, problems)), device)
        with torch.no_grad():
            exam[0] += loss_of(plain, batch).item() * CHUNK / EXAM
        exam[1] += sum(solved(plain, tokenizer, problems)) / EXAM
    dist.all_reduce(losses)  # NEW:
    dist.all_reduce(exam)  # NEW:
    return dict(ends=ends, losses=losses.tolist(), exam=exam.tolist())


def main(steps: int = 40, workers: int = 2, gpu: bool = False, seed: int = 42) -> dict:  # NEW:
    """STEPS batches of 32 problems, each in WORKERS parts."""
    if steps < 2 or workers < 1 or BATCH % workers:  # NEW:
        raise typer.BadParameter(f"--steps starts at 2, --workers at 1 and divides {BATCH}")
    if gpu and torch.cuda.device_count() < workers:  # NEW:
        raise typer.BadParameter("--gpu needs a GPU for each worker")  # NEW:

    config = dict(tokenizer=new_tokenizer(), steps=steps, workers=workers, gpu=gpu, seed=seed)
    command = psutil.Process().create_time()
    os.environ["RAY_TRAIN_ENABLE_PRINT_PATCH"] = "0"  # NEW: else what a worker prints comes twice
    ray.init()  # NEW:
    DataContext.get_current().enable_progress_bars = False  # NEW:
    there = ray.cluster_resources()  # NEW:
    if workers / 2 + 1 > there["CPU"] or (gpu and workers > there.get("GPU", 0)):  # NEW:
        raise typer.BadParameter(f"{workers} workers want more CPUs or GPUs than Ray has")  # NEW:
    half = {"CPU": 0.5, "GPU": 1} if gpu else {"CPU": 0.5}  # NEW: the rest is for Ray Data's tasks
    scaling = ScalingConfig(num_workers=workers, use_gpu=gpu, resources_per_worker=half)  # NEW:
    kept = RunConfig(storage_path=Path("out/ray_train").absolute(), name="07_gsm8k_lm")  # NEW:
    in_order = DataConfig(execution_options=ExecutionOptions(preserve_order=True))  # NEW:
    data = dict(datasets={"batches": batches(config)}, dataset_config=in_order)  # NEW:
    given = dict(train_loop_config=config, scaling_config=scaling, run_config=kept)  # NEW:
    done = TorchTrainer(train, **given, **data).fit().return_value  # NEW:

    (first, *_, last), losses, (loss, right) = done["ends"], done["losses"], done["exam"]
    ready, seconds, problems = first - command, last - first, (steps - 1) * BATCH
    print(f"ready in {ready:.1f} s")
    print(
        f"loss {losses[0]:.2f} -> {losses[-1]:.2f}; {right:.1%} of {EXAM} held-out problems right"
    )
    rate, answer = problems / seconds, f"{loss:.6f}"
    print(f"{problems} problems in {seconds:.2f} s ({rate:.1f} problems/s), answer {answer}")
    figures = dict(items=problems, unit="problems", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, losses=losses, accuracy=right)


if __name__ == "__main__":
    typer.run(main)
