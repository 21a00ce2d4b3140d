"""A checkpoint of the adapter alone, which makes of the base model the tuned one again."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from support import as_attendee

BASELINE, RAY = "ray_train/05_lora_baseline.py", "ray_train/05_lora_ray.py"


@pytest.fixture(scope="module")
def twins() -> list[tuple[dict, dict]]:
    """The figures and the adapter's weights of both; the second run clears the first one's."""
    found = []
    for script in (BASELINE, RAY):
        figures = as_attendee(script).figures
        found.append((figures, load_file(Path(figures["adapter"], "adapter_model.safetensors"))))
    return found


def test_both_save_the_same_weights_to_the_last_bit(twins) -> None:
    (_, old), (_, new) = twins
    assert old.keys() == new.keys()
    assert all(torch.equal(old[name], new[name]) for name in old)


def test_the_checkpoint_holds_the_adapter_alone(twins) -> None:
    figures, weights = twins[1]
    assert all("lora_" in name for name in weights)
    files = {path.name for path in Path(figures["adapter"]).iterdir()}
    assert files <= {"adapter_model.safetensors", "adapter_config.json", "README.md"}
    adapter, base = figures["bytes"]
    assert adapter < 0.1 * base
    file = Path(figures["adapter"], "adapter_model.safetensors")
    assert file.stat().st_size < 1.3 * 4 * sum(weight.numel() for weight in weights.values())


def test_loaded_again_it_is_the_tuned_model_and_not_the_base(twins) -> None:
    for figures, _ in twins:
        tuned, base = figures["off"]
        assert tuned == 0.0 and base > 0.5


def test_the_held_out_loss_falls(twins) -> None:
    before, after = twins[1][0]["losses"]
    assert after < 0.9 * before


def test_the_adapter_knows_its_base(twins) -> None:
    figures, _ = twins[1]
    known = json.loads(Path(figures["adapter"], "adapter_config.json").read_text())
    assert Path(known["base_model_name_or_path"], "model.safetensors").is_file()
