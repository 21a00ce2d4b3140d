import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import ray.train
from ray.train.huggingface.transformers import RayTrainReportCallback, prepare_trainer


def small_model() -> torch.nn.Module:
    size = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    return BertForSequenceClassification(BertConfig(vocab_size=32, num_labels=3, **size))


def train(config: dict) -> None:
    shard = ray.train.get_dataset_shard("train")
    steps = config["steps"]
    arguments = TrainingArguments(
        config["folder"], max_steps=steps, save_steps=steps, use_cpu=True, disable_tqdm=True
    )
    rows = shard.iter_torch_batches(batch_size=config["batch"])
    callbacks = [RayTrainReportCallback()]
    trainer = Trainer(small_model(), arguments, train_dataset=rows, callbacks=callbacks)
    prepare_trainer(trainer).train()
