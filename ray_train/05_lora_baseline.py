"""LoRA under torchrun: a small language model learns to answer in another form, in two processes
that train 7% as many weights as it has. Only those are saved, and they fit any copy of the model.

    python ray_train/05_lora_baseline.py

`ready` is from the command to the first step, less the seconds in which the base model is made.
Last line, without the first step: 1888 samples in 3.33 s (567.4 samples/s), answer 1.900161
"""

import os
import random
import re
import shutil
import time
from pathlib import Path

import numpy as np
import psutil
import torch
import torch.distributed as dist
import typer
from peft import LoraConfig, PeftModel, get_peft_model
from pyarrow.dataset import dataset, field
from tokenizers import Tokenizer
from torch.distributed.launcher import LaunchConfig, elastic_launch
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler
from transformers import AutoModelForCausalLM, BatchEncoding, Qwen2Config, Qwen2ForCausalLM

BATCH, LENGTH, PRETRAINING, HELD_OUT = 32, 128, 100, 200  # PRETRAINING: steps
TEXTS, LEARNING_RATE = Path("out/samples/texts").absolute(), 0.003


def tokenise(batch: dict, new: bool = True) -> dict:
    """What the model reads and predicts; new: without <<notes>>, and "The answer is 15."."""
    answers = batch["answer"]
    if new:
        answers = [re.sub("<<.*?>>", "", a).replace("####", "The answer is") + "." for a in answers]
    texts = [f"{q}<|assistant|>{a}" for q, a in zip(batch["question"], answers, strict=True)]
    tokenizer = Tokenizer.from_file(f"{TEXTS}/_tokenizer.json")
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH)
    encoded = tokenizer.encode_batch([f"<|user|>{text}<|endoftext|>" for text in texts])
    ids, mask = np.array([e.ids for e in encoded]), np.array([e.attention_mask for e in encoded])
    return dict(input_ids=ids, attention_mask=mask, labels=np.where(mask, ids, -100))


def problems(first: int, rows: int, size: int, new: bool = True) -> list[BatchEncoding]:
    """In batches of SIZE."""
    table = dataset(TEXTS).to_table(filter=(field("id") >= first) & (field("id") < first + rows))
    columns = tokenise(table.to_pydict(), new).items()
    starts = range(0, rows, size)
    return [BatchEncoding({n: torch.tensor(c[k : k + size]) for n, c in columns}) for k in starts]


def pretrain(folder: Path, first: int) -> None:
    """A language model of 115,000 weights that has read some thousand problems, in FOLDER."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4)
    size |= dict(num_key_value_heads=2, max_position_embeddings=LENGTH, tie_word_embeddings=True)
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=640, eos_token_id=0, pad_token_id=0, **size))
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    for batch in problems(first, PRETRAINING * BATCH, BATCH, new=False):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)


def train(config: dict) -> dict:
    """One worker of the run: the base model is frozen, every worker holds it and the adapter."""
    dist.init_process_group("nccl" if config["gpu"] else "gloo")
    workers, local_rank = dist.get_world_size(), int(os.environ["LOCAL_RANK"])
    device = torch.device("cuda", local_rank) if config["gpu"] else torch.device("cpu")
    torch.manual_seed(config["seed"])
    model = AutoModelForCausalLM.from_pretrained(config["base"])
    adapter = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    tuned = get_peft_model(model, adapter).to(device)
    model = DistributedDataParallel(tuned)
    rows = problems(config["first"], config["steps"] * BATCH, BATCH // workers)
    loader = DataLoader(rows, batch_size=None, sampler=DistributedSampler(rows, shuffle=False))
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    first_step = None
    for batch in loader:
        loss = model(**batch.to(device)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first_step = first_step or time.time()
    seconds = time.time() - first_step
    if dist.get_rank() == 0:
        tuned.save_pretrained(config["adapter"])
    dist.destroy_process_group()
    held_out = problems(config["last"], HELD_OUT, HELD_OUT)[0].to(device)
    with torch.inference_mode():
        logits = tuned(**held_out).logits[:8].cpu()
    return dict(first_step=first_step, seconds=seconds, logits=logits.numpy())


def main(steps: int = 60, workers: int = 2, gpu: bool = False, seed: int = 42) -> dict:
    """STEPS steps of 32 problems each, which SEED chooses."""
    if steps < 2 or workers < 1 or BATCH % workers or (gpu and torch.cuda.device_count() < workers):
        raise typer.BadParameter("--steps starts at 2; --workers divides 32; --gpu: one a worker")
    there = dataset(TEXTS).count_rows() if TEXTS.is_dir() else 0
    old = (last := there - HELD_OUT) - PRETRAINING * BATCH  # the first row for pretraining
    if steps * BATCH > old:
        raise typer.BadParameter(f"--steps: too few of the {there} texts in {TEXTS}: make samples")

    folder, began = Path("out/ray_train/05_lora").absolute(), time.time()
    shutil.rmtree(folder, ignore_errors=True)
    pretrain(folder / "base", old)
    command = psutil.Process().create_time() + time.time() - began
    first = random.Random(seed).randint(0, old - steps * BATCH)
    config = dict(steps=steps, gpu=gpu, seed=seed, first=first, last=last, base=f"{folder}/base")
    config["adapter"] = f"{folder}/adapter"
    os.environ["OMP_NUM_THREADS"] = "1"  # as torchrun sets it
    launch = LaunchConfig(1, 1, workers, rdzv_backend="c10d", rdzv_endpoint="localhost:0")
    launch.run_id, launch.max_restarts = "05_lora", 0
    done = elastic_launch(launch, train)(config)[0]
    adapter = config["adapter"]

    held_out = problems(last, HELD_OUT, HELD_OUT)[0]
    with torch.inference_mode():
        model = AutoModelForCausalLM.from_pretrained(config["base"])
        before = model(**held_out)
        after = PeftModel.from_pretrained(model, adapter)(**held_out)
    others = torch.tensor(done["logits"]), before.logits[:8]
    off = [(after.logits[:8] - other).abs().max().item() for other in others]
    folders = Path(adapter), folder / "base"
    small, whole = (sum(file.stat().st_size for file in each.iterdir()) for each in folders)
    ready, seconds, samples = done["first_step"] - command, done["seconds"], (steps - 1) * BATCH
    rate, answer = samples / seconds, f"{after.loss.item():.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"held-out loss {before.loss:.3f} by the base, {after.loss:.3f} with the adapter")
    print(f"loaded again: logits {off[0]} off the tuned model's, {off[1]:.2f} off the base's")
    print(f"adapter {small / 1000:.0f} kB, base {whole / 1000:.0f} kB")
    print(f"{samples} samples in {seconds:.2f} s ({rate:.1f} samples/s), answer {answer}")
    figures = dict(items=samples, unit="samples", seconds=seconds, ready_seconds=ready)
    figures |= dict(off=off, bytes=[small, whole], adapter=adapter, answer=answer)
    return figures | dict(losses=[before.loss.item(), after.loss.item()])


if __name__ == "__main__":
    typer.run(main)
