"""The same on Ray Data without the repartition: read_parquet makes one block of many small files,
so one task tokenises them all, on one core, and no batch comes before the last row.

    python ray_data/05_text_pitfall.py

Last line: 40000 rows in 7.32 s (5465.0 rows/s), answer 1310883528
"""

import os
import random
import re
import sys
import time
from pathlib import Path

import numpy as np
import torch
import typer
from pyarrow.dataset import dataset
from pyarrow.fs import FileSelector, FileSystem
from tokenizers import Tokenizer

import ray
from ray.data import DataContext, Dataset
from ray.data.expressions import col


def chosen(folder: str, rows: int, seed: int) -> tuple[FileSystem, list[str], Tokenizer, int]:
    """The Parquet files in FOLDER, the tokenizer beside them, the id of the first of ROWS rows."""
    fs, root = FileSystem.from_uri(folder if "://" in folder else Path(folder).resolve().as_uri())
    found = fs.get_file_info(FileSelector(root, allow_not_found=True))
    paths = sorted(f.path for f in found if f.path.endswith(".parquet"))
    if not paths:
        raise ValueError(f"no texts in {folder}: make samples")
    total = dataset(paths, filesystem=fs).count_rows()
    if not 1 <= rows <= total:
        raise ValueError(f"--rows is 1 to {total}: so many are in {folder}")
    tokenizer = Tokenizer.from_buffer(fs.open_input_file(f"{root}/_tokenizer.json").read())
    tokenizer.enable_truncation(128)
    tokenizer.enable_padding(length=128)
    return fs, paths, tokenizer, random.Random(seed).randint(0, total - rows)


def tokenise(batch: dict, tokenizer: Tokenizer) -> dict:
    """128 token ids a row. One thread: there is a process for each core already."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    texts = [f"{q}\n{a}" for q, a in zip(batch["question"], batch["answer"], strict=True)]
    return {"ids": np.array([e.ids for e in tokenizer.encode_batch(texts)], np.int32)}


def tokenised(fs, paths, tokenizer, first: int, rows: int) -> Dataset:
    ds = ray.data.read_parquet(paths, filesystem=fs)
    ds = ds.filter(expr=(col("id") >= first) & (col("id") < first + rows))
    return ds.map_batches(tokenise, fn_kwargs={"tokenizer": tokenizer})


def main(
    rows: int = 40_000,
    input: str = "out/samples/texts",
    output: str = "out/ray_data/05_text",
    seed: int = 42,
) -> dict:
    """Tokenise ROWS rows of INPUT, a path, s3:// or gs://; what each step did goes to OUTPUT."""
    try:
        shards = chosen(input, rows, seed)
        if "://" in output:
            raise ValueError("--output is a local folder here, for a text file")
        Path(output).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None

    start = time.perf_counter()
    os.environ["RAY_DATA_PARQUET_FOOTER_NUM_ACTORS"] = "1"
    ray.init()
    DataContext.get_current().enable_progress_bars = sys.stdout.isatty()
    tokenised(*shards, 1000).materialize()
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    weights, seen, answer = torch.arange(1, 129) ** 3, 0, 0
    start = time.perf_counter()
    ds = tokenised(*shards, rows)
    for batch in ds.iter_torch_batches(batch_size=32, local_shuffle_buffer_size=4000):
        if not seen:
            waited = time.perf_counter() - start
        seen += len(batch["ids"])
        answer += int((batch["ids"].long() @ weights % 65521).sum())
    took = time.perf_counter() - start

    Path(output, "stats.txt").write_text(ds.stats())
    tasks = int(re.search(r"tokenise\S*: (\d+) tasks executed", ds.stats())[1])
    print(f"first batch after {waited:.2f} s, tokenised in {tasks} tasks")
    print(f"{seen} rows in {took:.2f} s ({seen / took:.1f} rows/s), answer {answer}")
    figures = dict(items=seen, unit="rows", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(first_seconds=waited, tasks=tasks)


if __name__ == "__main__":
    typer.run(main)
