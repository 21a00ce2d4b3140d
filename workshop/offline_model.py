"""The workshop's offline language model: Qwen2's architecture, very small, trained from nothing.

    python -m workshop.offline_model --steps 1400 --output out/model

It learns generated grade-school problems (workshop.problems) and answers as GSM-8K does: worked,
with calculations as <<3*4=12>>12, and the number after ####. OUTPUT is a Hugging Face checkpoint.
"""

import hashlib
import itertools
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Annotated

import torch
import typer
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress
from tokenizers.decoders import ByteLevel
from torch.nn.utils.rnn import pad_sequence
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, __version__
from transformers.utils.logging import disable_progress_bar

from workshop.offline_data import BATCH, END, group, held_out
from workshop.problems import Problem
from workshop.samples import tokenizer as problem_tokenizer

MUON_RATE, ADAMW_RATE, CLIP = 0.006, 0.008, 30.0
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'user' %}<|user|>{{ message.content }}"
    "{% elif message.role == 'assistant' %}<|assistant|>{{ message.content }}<|endoftext|>"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def new_tokenizer() -> PreTrainedTokenizerFast:
    """The samples' tokenizer, which splits numbers into digits, for chats of one question."""
    words = problem_tokenizer()
    words.decoder = ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        chat_template=CHAT_TEMPLATE,
        eos_token=END,
        pad_token=END,
        padding_side="left",  # what is generated follows the question without a gap
        model_input_names=["input_ids", "attention_mask"],
    )


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int, width: int = 128) -> Qwen2ForCausalLM:
    """Four layers of WIDTH, a multiple of 64, at random; 128: 0.86 million parameters."""
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=4,
        num_attention_heads=width // 32,  # 32 numbers each: the smallest that vLLM's kernels take
        num_key_value_heads=width // 64,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


def padded(batch: dict, device: str | torch.device = "cpu") -> dict[str, torch.Tensor]:
    """A batch of offline_data as the model takes it. Only answers count: the rest is -100."""
    ids = [torch.tensor(row, dtype=torch.long) for row in batch["ids"]]
    labels = [row.clone() for row in ids]
    for label, start in zip(labels, batch["start"], strict=True):
        label[:start] = -100
    return dict(
        input_ids=pad_sequence(ids, batch_first=True).to(device),  # 0 will do: it never counts
        labels=pad_sequence(labels, batch_first=True, padding_value=-100).to(device),
    )


def loss_of(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """-log of the probability of the whole answer, on average over the batch's problems.

    Not over its tokens: so the average over two halves of a batch is that of the batch.
    """
    return model(**batch, num_items_in_batch=len(batch["labels"])).loss


class Optimizer:
    """Muon for the matrices of the layers, AdamW for embedding, norms and biases.

    Both learning rates, times RATE, rise for the first 5% of STEPS and fall to 0 over the last 60%.
    """

    def __init__(self, model: torch.nn.Module, steps: int, rate: float = 1.0) -> None:
        self.parameters, matrices, rest = list(model.parameters()), [], []
        for name, weights in model.named_parameters():
            (matrices if weights.ndim == 2 and "embed" not in name else rest).append(weights)
        self.optimizers = [
            torch.optim.Muon(matrices, rate * MUON_RATE, weight_decay=0.0),
            torch.optim.AdamW(rest, rate * ADAMW_RATE, betas=(0.9, 0.95), weight_decay=0.0),
        ]

        def share(step: int) -> float:
            return min(1, (step + 1) / (0.05 * steps), (steps - step) / (0.6 * steps))

        self.schedules = [LambdaLR(optimizer, share) for optimizer in self.optimizers]

    def step(self) -> None:
        """One step along the gradients that backward() has left, which are then forgotten."""
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        for part in (*self.optimizers, *self.schedules):
            part.step()
        for optimizer in self.optimizers:
            optimizer.zero_grad()


@torch.inference_mode()
def solved(model: Qwen2ForCausalLM, tokenizer, problems: Sequence[Problem]) -> list[bool]:
    """Exact match: whether the number in the greedy answer to each problem is right."""
    chats = [[dict(role="user", content=one.question)] for one in problems]
    given = dict(add_generation_prompt=True, return_dict=True, return_tensors="pt", padding=True)
    asked = tokenizer.apply_chat_template(chats, **given).to(model.device)
    model.eval()
    tokens = model.generate(**asked, max_new_tokens=96, do_sample=False)
    model.train()
    texts = tokenizer.batch_decode(tokens[:, asked["input_ids"].shape[1] :])
    numbers = [re.search(r"#### (\d+)<", text) for text in texts]
    return [bool(n) and int(n[1]) == p.number for n, p in zip(numbers, problems, strict=True)]


def accuracy(model: Qwen2ForCausalLM, tokenizer, problems: Sequence[Problem]) -> dict:
    """Exact match in all and by number of calculations."""
    right = []
    for k in range(0, len(problems), 100):
        right += solved(model, tokenizer, problems[k : k + 100])
    kinds = {one.steps: [] for one in problems}
    for one, well in zip(problems, right, strict=True):
        kinds[one.steps].append(well)
    by_steps = {steps: round(mean(kinds[steps]), 4) for steps in sorted(kinds)}
    return dict(accuracy=round(mean(right), 4), by_steps=by_steps)


def train(steps: int, seed: int) -> tuple[Qwen2ForCausalLM, PreTrainedTokenizerFast, dict]:
    """The trained model, its tokenizer, and a log with the curves of loss and accuracy."""
    tokenizer = new_tokenizer()
    words, model, exam = tokenizer.backend_tokenizer, new_model(tokenizer, seed), held_out()
    optimizer, curve, losses = Optimizer(model, steps), [], []
    columns = (*Progress.get_default_columns(), "{task.fields[shown]}")
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{steps} steps", total=steps, shown="")
        batches = (one for number in itertools.count() for one in group(words, seed, number))
        for step, batch in zip(range(1, steps + 1), batches, strict=False):
            loss = loss_of(model, padded(batch))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if step % 100 == 0 or step == steps:
                found = accuracy(model, tokenizer, exam if step == steps else exam[:100])
                curve.append(dict(step=step, loss=round(mean(losses[-100:]), 4)) | found)
            shown = f"{curve[-1]['accuracy']:.0%} of the exam" if curve else ""
            progress.update(task, advance=1, shown=f"loss {loss:.1f} {shown}")
    parameters = sum(weights.numel() for weights in model.parameters())
    versions = dict(torch=torch.__version__, transformers=__version__)
    made = dict(parameters=parameters, steps=steps, seed=seed, batch=BATCH, versions=versions)
    return model, tokenizer, made | curve[-1] | dict(held_out=len(exam), curve=curve)


def save(model: Qwen2ForCausalLM, tokenizer, log: dict, folder: Path) -> dict:
    """A Hugging Face checkpoint, log.json with the digest of the weights, accuracy.png."""
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    disable_progress_bar()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = (folder / "model.safetensors").read_bytes()
    log = log | dict(bytes=len(weights), sha256=hashlib.sha256(weights).hexdigest())
    (folder / "log.json").write_text(json.dumps(log, indent=1) + "\n")
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    steps = [point["step"] for point in log["curve"]]
    axes.plot(steps, [100 * point["accuracy"] for point in log["curve"]], "k", linewidth=2)
    for kind in log["by_steps"]:
        scores = [100 * point["by_steps"][kind] for point in log["curve"]]
        axes.plot(steps, scores, ":", label=f"of {kind} calculation{'s' * (kind > 1)}")
    axes.set(xlabel="step", ylabel="right answers to held-out problems, %", ylim=(0, 100))
    axes.legend()
    figure.savefig(folder / "accuracy.png", dpi=100)
    return log


def main(
    steps: Annotated[int, typer.Option(min=1)] = 1400,
    seed: int = 42,
    output: Path = Path("out/model"),
) -> None:
    """Train the model for STEPS batches and save it to OUTPUT."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"--output is no folder: {error}") from None
    torch.set_num_threads(1)  # the same sums in the same order on any number of cores
    start = time.process_time()
    model, tokenizer, log = train(steps, seed)
    log = save(model, tokenizer, log | dict(cpu_seconds=round(time.process_time() - start)), output)
    print(f"{log['accuracy']:.1%} of {log['held_out']} held-out problems, by calculations:")
    print(", ".join(f"{kind}: {share:.1%}" for kind, share in log["by_steps"].items()))
    print(
        f"{steps} steps in {log['cpu_seconds']} CPU seconds; {output}: {log['bytes'] / 1e6:.1f} MB"
    )
    print(f"sha256 {log['sha256']}")


if __name__ == "__main__":
    typer.run(main)
