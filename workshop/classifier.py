"""A classifier for vllm_examples: how many calculations a problem needs, one to three.

The body is the language model's own, as it is; one layer on top of what it makes of the question's
last token is trained on first use, in seconds, and kept in the user's cache folder.
"""

import functools
import random
from pathlib import Path

from workshop import llm
from workshop.cache import fingerprint, trained
from workshop.problems import Problem, problem

VERSION = 1  # of what this module trains
LABELS = ("one", "two", "three")
PROBLEMS, BATCH, STEPS, RATE = 1200, 50, 300, 0.03


def label(one: Problem) -> str:
    return LABELS[one.steps - 1]


def to_learn() -> list[Problem]:
    return [problem(random.Random(f"classifier {k}"), 1 + k % 3) for k in range(PROBLEMS)]


def train(model: str, folder: Path, seed: int = 0) -> None:
    """A Hugging Face checkpoint in FOLDER; the caller's random state stays as it is."""
    import torch  # here, for it reads what llm.prepare has set, and so do those below
    from torch.nn.functional import cross_entropy
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(llm.threads())
    problems, given = to_learn(), dict(padding=True, return_tensors="pt")
    labels = torch.tensor([one.steps - 1 for one in problems], device=llm.device())
    names = dict(id2label=dict(enumerate(LABELS)), label2id={n: k for k, n in enumerate(LABELS)})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tokenizer = AutoTokenizer.from_pretrained(model)
        network = AutoModelForSequenceClassification.from_pretrained(
            model, dtype=torch.float32, device_map=llm.device(), **names
        )
        states = []
        for k in range(0, PROBLEMS, BATCH):
            asked = tokenizer([one.question for one in problems[k : k + BATCH]], **given)
            with torch.no_grad():
                hidden = network.model(**asked.to(network.device)).last_hidden_state
            ends = asked["attention_mask"].cumsum(1).argmax(1)  # whichever side is padded
            states.append(hidden[torch.arange(len(hidden)), ends])
        states = torch.cat(states)
        optimizer = torch.optim.AdamW(network.score.parameters(), RATE)
        for _ in range(STEPS):
            loss = cross_entropy(network.score(states), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.config.pad_token_id = tokenizer.pad_token_id
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def cached(model: str = llm.MODEL) -> str:
    """The folder of the classifier whose body is MODEL."""
    name = f"classifier-{fingerprint(model)}-v{VERSION}"
    return str(trained(name, functools.partial(train, model)))
