"""Parquet shards of grade-school problems, and a tokenizer for them."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import track
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from workshop.problems import problem
from workshop.samples.folders import QUIET, VERSION, Made, finished, made_earlier, new_draft

TOKENIZER = "_tokenizer.json"  # readers pass over a leading _


def texts(folder: Path, count: int, shards: int = 16, seed: int = 42) -> Made:
    """COUNT problems in FOLDER/NN.parquet: id, question, answer, number; a tokenizer."""
    arguments = dict(kind="texts", version=VERSION, count=count, shards=shards, seed=seed)
    if made := made_earlier(folder, arguments):
        return made
    draft = new_draft(folder)
    rng, limits = random.Random(seed), [count * k // shards for k in range(shards + 1)]
    for k in track(range(shards), f"{count} problems", **QUIET):
        rows = []
        for number in range(limits[k], limits[k + 1]):
            one = problem(rng)
            rows.append(
                dict(id=number, question=one.question, answer=one.answer, number=one.number)
            )
        pq.write_table(pa.Table.from_pylist(rows), draft / f"{k:02}.parquet")
    tokenizer().save(str(draft / TOKENIZER))
    return finished(draft, folder, arguments)


def tokenizer(examples: int = 4000, vocabulary: int = 640) -> Tokenizer:
    """A byte-pair encoding of problems; words keep their leading space, digits stand alone."""
    rng = random.Random(1)
    corpus = ["\n".join((p.question, p.answer)) for p in (problem(rng) for _ in range(examples))]
    words = Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s")
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>", "<|user|>", "<|assistant|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(corpus, trainer)
    return made
