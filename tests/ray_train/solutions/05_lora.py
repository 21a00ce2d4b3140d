from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from ray.train import Checkpoint


def with_adapter(model: torch.nn.Module) -> PeftModel:
    return get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))


def save(tuned: PeftModel, folder: Path) -> Checkpoint:
    tuned.save_pretrained(folder)
    return Checkpoint.from_directory(folder)


def load(base: torch.nn.Module, checkpoint: Checkpoint) -> torch.nn.Module:
    with checkpoint.as_directory() as folder:
        return PeftModel.from_pretrained(base, folder)
