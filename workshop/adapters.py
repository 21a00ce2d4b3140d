"""LoRA adapters for vllm_examples, each of which teaches the model another form of answer: FORMS.

An adapter is trained on first use, in seconds for the offline model, and kept in the user's cache
folder.
"""

import dataclasses
import functools
import itertools
import random
import re
from pathlib import Path

from rich.console import Console
from rich.progress import track

from workshop import llm
from workshop.cache import fingerprint, trained
from workshop.offline_data import BATCH, batch_of, encoded, to_learn
from workshop.problems import Problem

VERSION = 1  # of what this module trains
RANK, RATE, STEPS = 8, 6e-3, {"plain": 60, "short": 120}
NOTE = re.compile(r"<<(.*?)>>")


def plain(one: Problem) -> str:
    """The worked answer without its <<notes>>."""
    return NOTE.sub("", one.answer)


def short(one: Problem) -> str:
    """The calculations alone, a line each, and the number."""
    return "\n".join([*NOTE.findall(one.answer), f"#### {one.number}"])


FORMS = {"plain": plain, "short": short}


def train(form: str, model: str, folder: Path, seed: int = 0) -> None:
    """An adapter in FOLDER; the caller's random state stays as it is."""
    import torch  # here, for it reads what llm.prepare has set, and so do those below
    from peft import LoraConfig, get_peft_model
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workshop.offline_model import padded

    torch.set_num_threads(llm.threads())
    tokenizer = AutoTokenizer.from_pretrained(model)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, device_map=llm.device())
    steps, rows = STEPS[form], to_learn(random.Random(f"{form} {seed}"))
    size = dict(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = get_peft_model(base, LoraConfig(**size))
        optimizer = torch.optim.AdamW([w for w in network.parameters() if w.requires_grad], RATE)
        rate = LambdaLR(optimizer, lambda step: min(1, (step + 1) / 5, 2 * (1 - step / steps)))
        for _ in track(range(steps), f"adapter {form}", console=Console(stderr=True)):
            problems = list(itertools.islice(rows, BATCH))
            told = [dataclasses.replace(one, answer=FORMS[form](one)) for one in problems]
            batch = padded(batch_of(encoded(tokenizer.backend_tokenizer, told)), base.device)
            network(**batch).loss.backward()
            optimizer.step()
            rate.step()
            optimizer.zero_grad()
    network.save_pretrained(folder)


def cached(form: str, model: str = llm.MODEL) -> str:
    """The folder of the adapter that gives MODEL's answers this form."""
    name = f"adapter-{form}-{fingerprint(model)}-v{VERSION}"
    return str(trained(name, functools.partial(train, form, model)))
