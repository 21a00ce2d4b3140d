"""Exercise 5: a checkpoint that holds the adapter and nothing else.

with_adapter() puts LoRA of rank 4 on the model's q_proj and v_proj; save() makes a Ray Train
checkpoint of the adapter alone; load() puts that onto another copy of the base model.

    make check EX=ray_train/05
"""

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: F401

from ray.train import Checkpoint


def with_adapter(model: torch.nn.Module) -> PeftModel:
    raise NotImplementedError("get_peft_model")


def save(tuned: PeftModel, folder: Path) -> Checkpoint:
    """A checkpoint of what is in FOLDER, where only the adapter has been saved."""
    raise NotImplementedError("save_pretrained of the right model, Checkpoint.from_directory")


def load(base: torch.nn.Module, checkpoint: Checkpoint) -> torch.nn.Module:
    """The tuned model again, from a fresh BASE."""
    raise NotImplementedError("checkpoint.as_directory, PeftModel.from_pretrained")
