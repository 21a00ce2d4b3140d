"""A small BERT reads word problems and says how many calculations each takes: transformers' Trainer
in two processes, on rows that every process has read and tokenised before the first step.

    python ray_train/04_huggingface_baseline.py

The script starts the processes itself, as torchrun would. `ready` is from the command to the first
step; the last line leaves out the first step, in which memory and kernels warm up.
Last line: 3776 samples in 1.90 s (1987.9 samples/s), answer 0.145578
"""

import os
import random
import shutil
import time
from pathlib import Path

import numpy as np
import psutil
import torch
import typer
from pyarrow.dataset import dataset, field
from tokenizers import Tokenizer
from torch.distributed.launcher import LaunchConfig, elastic_launch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback
from transformers import TrainingArguments as Arguments
from transformers.trainer_callback import PrinterCallback

BATCH, LENGTH, LEARNING_RATE = 64, 64, 0.003
TEXTS, HELD_OUT = Path("out/samples/texts").absolute(), 1000  # the last rows are held out


def tokenizer() -> Tokenizer:
    made = Tokenizer.from_file(f"{TEXTS}/_tokenizer.json")
    made.enable_truncation(LENGTH)
    made.enable_padding(length=LENGTH)
    return made


def tokenise(batch: dict) -> dict:
    """What the model reads; the label is the number of calculations in the answer, less one."""
    encoded = tokenizer().encode_batch([f"<|user|>{question}" for question in batch["question"]])
    ids, mask = np.array([e.ids for e in encoded]), np.array([e.attention_mask for e in encoded])
    labels = np.array([answer.count("<<") - 1 for answer in batch["answer"]])
    return dict(input_ids=ids, attention_mask=mask, labels=labels)


def problems(first: int, rows: int) -> list[dict]:
    table = dataset(TEXTS).to_table(filter=(field("id") >= first) & (field("id") < first + rows))
    columns = tokenise(table.to_pydict())
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def classifier(seed: int) -> BertForSequenceClassification:
    torch.manual_seed(seed)
    size = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128)
    size |= dict(vocab_size=tokenizer().get_vocab_size(), max_position_embeddings=LENGTH)
    no_dropout = dict(hidden_dropout_prob=0, attention_probs_dropout_prob=0)
    return BertForSequenceClassification(BertConfig(num_labels=3, **size, **no_dropout))


class Clock(TrainerCallback):
    """Notes when the first and the last step were done, and what the evaluation said."""

    def on_step_end(self, args, state, control, **kwargs) -> None:
        self.last = time.time()
        self.first = self.last if state.global_step == 1 else self.first

    def on_log(self, args, state, control, logs, **kwargs) -> None:
        if state.is_world_process_zero and "loss" in logs:
            print(f"step {state.global_step}: loss {logs['loss']!r}", flush=True)

    def on_evaluate(self, args, state, control, metrics, **kwargs) -> None:
        self.metrics = metrics


def train(config: dict) -> dict:
    """One worker of the run: the Trainer finds the others by what is in os.environ."""
    steps, batch = config["steps"], BATCH // config["workers"]
    rows = problems(config["first"], steps * BATCH)
    to_do = dict(max_steps=steps, learning_rate=LEARNING_RATE, per_device_train_batch_size=batch)
    to_do |= dict(train_sampling_strategy="sequential", logging_steps=max(steps // 4, 1))
    to_do |= dict(seed=config["seed"], disable_tqdm=True)
    to_do |= dict(eval_strategy="steps", eval_steps=steps, save_steps=steps, save_only_model=True)
    to_do |= dict(ddp_find_unused_parameters=False, average_tokens_across_devices=False)
    backend = {} if config["gpu"] else dict(use_cpu=True, ddp_backend="gloo")
    trainer = Trainer(
        classifier(config["seed"]),
        Arguments(config["folder"], **to_do, **backend),
        train_dataset=rows,
        eval_dataset=problems(config["held_out"], HELD_OUT),
        compute_metrics=lambda told: {"accuracy": float((told[0].argmax(1) == told[1]).mean())},
        callbacks=[clock := Clock()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return clock.metrics | dict(first_step=clock.first, seconds=clock.last - clock.first)


def main(steps: int = 60, workers: int = 2, gpu: bool = False, seed: int = 42) -> dict:
    """STEPS steps of 64 problems each, which SEED chooses."""
    if steps < 2 or workers < 1 or BATCH % workers or (gpu and torch.cuda.device_count() < workers):
        raise typer.BadParameter("--steps starts at 2; --workers divides 64; --gpu: one a worker")
    there = dataset(TEXTS).count_rows() if TEXTS.is_dir() else 0
    if steps * BATCH > (last := there - HELD_OUT):
        raise typer.BadParameter(f"--steps: too few of the {there} texts in {TEXTS}: make samples")

    folder = Path("out/ray_train/04_huggingface").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    first = random.Random(seed).randint(0, last - steps * BATCH)
    config = dict(steps=steps, workers=workers, gpu=gpu, seed=seed)
    config |= dict(first=first, held_out=last, folder=f"{folder}/trainer")
    command = psutil.Process().create_time()
    os.environ["OMP_NUM_THREADS"] = "1"  # as torchrun sets it
    launch = LaunchConfig(1, 1, workers, rdzv_backend="c10d", rdzv_endpoint="localhost:0")
    launch.run_id, launch.max_restarts = "04_huggingface", 0
    done = elastic_launch(launch, train)(config)[0]

    ready, seconds, samples = done["first_step"] - command, done["seconds"], (steps - 1) * BATCH
    rate, answer = samples / seconds, f"{done['eval_loss']:.6f}"
    print(f"ready in {ready:.1f} s")
    print(f"{done['eval_accuracy']:.1%} of {HELD_OUT} held-out problems right")
    print(f"{samples} samples in {seconds:.2f} s ({rate:.1f} samples/s), answer {answer}")
    figures = dict(items=samples, unit="samples", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, accuracy=done["eval_accuracy"])


if __name__ == "__main__":
    typer.run(main)
