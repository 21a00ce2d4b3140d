"""Problems tokenised for a language model and fed to training: datasets.map over all of them in
two processes, caching nothing, then a DataLoader. Its first batch waits for the last row.

    python ray_data/05_text_baseline.py

Last line: 40000 rows in 3.54 s (11299.4 rows/s), answer 1310883528
"""

import os
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import typer
from datasets import Dataset, disable_caching, disable_progress_bars
from pyarrow.dataset import dataset
from pyarrow.fs import FileSelector, FileSystem, copy_files
from tokenizers import Tokenizer
from torch.utils.data import DataLoader


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


def tokenised(fs, paths, tokenizer, first: int, rows: int, folder: str) -> Dataset:
    if fs.type_name != "local":
        copy_files(str(Path(paths[0]).parent), folder, fs)
        paths = [f"{folder}/{Path(path).name}" for path in paths]
    wanted = [("id", ">=", first), ("id", "<", first + rows)]
    ds = Dataset.from_parquet(paths, filters=wanted, cache_dir=folder)
    more = dict(fn_kwargs={"tokenizer": tokenizer}, remove_columns=ds.column_names)
    return ds.map(tokenise, batched=True, num_proc=2, **more).with_format("torch")


def main(
    rows: int = 40_000,
    input: str = "out/samples/texts",
    output: str = "out/ray_data/05_text",
    seed: int = 42,
) -> dict:
    """Tokenise ROWS rows of INPUT, a path, s3:// or gs://; OUTPUT holds Arrow files meanwhile."""
    try:
        shards = chosen(input, rows, seed)
        if "://" in output:
            raise ValueError("--output is a local folder here, for Arrow files")
        Path(output).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    disable_caching()
    if not sys.stderr.isatty():
        disable_progress_bars()

    start = time.perf_counter()
    folder = tempfile.TemporaryDirectory(dir=output)
    next(iter(DataLoader(tokenised(*shards, 1000, folder.name), batch_size=32)))
    ready = time.perf_counter() - start
    print(f"ready in {ready:.1f} s")

    weights, seen, answer = torch.arange(1, 129) ** 3, 0, 0
    start = time.perf_counter()
    ds = tokenised(*shards, rows, folder.name)
    for batch in DataLoader(ds, batch_size=32, shuffle=True):
        if not seen:
            waited = time.perf_counter() - start
        seen += len(batch["ids"])
        answer += int((batch["ids"].long() @ weights % 65521).sum())
    took = time.perf_counter() - start

    print(f"first batch after {waited:.2f} s")
    print(f"{seen} rows in {took:.2f} s ({seen / took:.1f} rows/s), answer {answer}")
    figures = dict(items=seen, unit="rows", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(first_seconds=waited)


if __name__ == "__main__":
    typer.run(main)
