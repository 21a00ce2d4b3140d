"""A checkpoint of the adapter alone, which makes of the base model the tuned one again."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from support import as_attendee

BASELINE, RAY = "ray_train/05_lora_baseline.py", "ray_train/05_lora_ray.py"


def trained(script: str) -> tuple[dict, dict]:
    """The figures and the adapter's weights, which the other twin's run clears."""
    figures = as_attendee(script).figures
    return figures, load_file(Path(figures["adapter"], "adapter_model.safetensors"))


@pytest.fixture(scope="module")
def by_ray() -> tuple[dict, dict]:
    return trained(RAY)


def test_the_checkpoint_holds_the_adapter_alone(by_ray) -> None:
    figures, weights = by_ray
    assert all("lora_" in name for name in weights)
    files = {path.name for path in Path(figures["adapter"]).iterdir()}
    assert files <= {"adapter_model.safetensors", "adapter_config.json", "README.md"}
    adapter, base = figures["bytes"]
    assert adapter < 0.1 * base
    file = Path(figures["adapter"], "adapter_model.safetensors")
    assert file.stat().st_size < 1.3 * 4 * sum(weight.numel() for weight in weights.values())


def test_loaded_again_it_is_the_tuned_model_and_not_the_base(by_ray) -> None:
    tuned, base = by_ray[0]["off"]
    assert tuned == 0.0 and base > 0.5


def test_the_held_out_loss_falls(by_ray) -> None:
    before, after = by_ray[0]["losses"]
    assert after < 0.9 * before


def test_the_adapter_knows_its_base(by_ray) -> None:
    figures, _ = by_ray
    known = json.loads(Path(figures["adapter"], "adapter_config.json").read_text())
    assert Path(known["base_model_name_or_path"], "model.safetensors").is_file()


@pytest.mark.thorough
def test_both_save_the_same_weights_to_the_last_bit(by_ray) -> None:
    (figures, new), (by_hand, old) = by_ray, trained(BASELINE)
    assert old.keys() == new.keys() and by_hand["off"] == figures["off"]
    assert all(torch.equal(old[name], new[name]) for name in old)
