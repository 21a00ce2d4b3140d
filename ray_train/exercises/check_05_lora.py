import tempfile
from pathlib import Path

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

IDS = torch.arange(32).reshape(2, 16)


def base_model() -> torch.nn.Module:
    torch.manual_seed(0)
    size = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=512, num_key_value_heads=2, **size)).eval()


def check(attempt) -> str:
    torch.set_num_threads(1)
    base = base_model()
    weights = sum(weight.numel() for weight in base.parameters())
    tuned = attempt.with_adapter(base).eval()
    trained = {name: w for name, w in tuned.named_parameters() if w.requires_grad}
    assert trained, "no weight of what with_adapter returns can be trained"
    assert all("lora_" in name for name in trained), (
        f"{next(n for n in trained if 'lora_' not in n)} is trained as well: freeze the base"
    )
    where = {name.split(".lora_")[0].rpartition(".")[2] for name in trained}
    assert where == {"q_proj", "v_proj"}, f"LoRA is on {', '.join(sorted(where))}: target_modules"
    ranks = {min(weight.shape) for weight in trained.values()}
    assert ranks == {4}, f"the rank is {max(ranks)}, not 4: r"
    with torch.no_grad():
        for weight in trained.values():
            weight.add_(0.1 * torch.randn_like(weight))  # as if it had been trained
        expected = tuned(IDS).logits
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = attempt.save(tuned, Path(folder))
        assert hasattr(checkpoint, "as_directory"), "save() returns no Checkpoint"
        with checkpoint.as_directory() as there:
            files = [path for path in Path(there).rglob("*") if path.is_file()]
            size = sum(path.stat().st_size for path in files if path.suffix not in (".md", ".json"))
        assert size, "there is no weight in the checkpoint: tuned.save_pretrained(folder)"
        assert size < 2 * weights, (
            f"the checkpoint has {size} bytes: the base's {weights} weights are in it"
        )
        fresh = base_model()
        plain = fresh(IDS).logits
        loaded = attempt.load(fresh, checkpoint)
    with torch.no_grad():
        got = loaded.eval()(IDS).logits
    assert not torch.equal(got, plain), "load() gives the base model, without the adapter"
    assert torch.equal(got, expected), "what load() gives answers otherwise than the tuned model"
    return f"{size / 1000:.0f} kB for a model of {4 * weights / 1000:.0f} kB, and the same logits"
