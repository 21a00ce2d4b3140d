"""Exercise 4: a Trainer that Ray feeds and Ray hears of.

Fill in train(), which every worker runs: transformers' Trainer on the rows of shard, in batches of
config["batch"], for config["steps"] steps on the CPU. At its end it saves a checkpoint into
config["folder"], as it always does, and Ray Train gets to know of it.

    make check EX=ray_train/04
"""

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments  # noqa: F401

import ray.train
from ray.train.huggingface.transformers import RayTrainReportCallback, prepare_trainer  # noqa: F401


def small_model() -> torch.nn.Module:
    size = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    return BertForSequenceClassification(BertConfig(vocab_size=32, num_labels=3, **size))


def train(config: dict) -> None:
    shard = ray.train.get_dataset_shard("train")
    raise NotImplementedError(
        f"a Trainer for {small_model()} on {shard}, prepared, and its train()"
    )
