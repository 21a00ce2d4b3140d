"""Questions in Parquet, for the scripts of vllm_examples that answer a whole table of them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import typer

from workshop import llm

ROWS_PER_FILE = 200


def generated(folder: Path, count: int, seed: int) -> str:
    """The folder of Parquet files with the generated questions; made where it is not there yet."""
    made = folder / f"questions-{count}-{seed}"
    if not made.is_dir():
        asked = [one.question for one in llm.problems(count, seed)]
        table, part = pa.table(dict(id=range(count), question=asked)), made.with_suffix(".part")
        part.mkdir(parents=True, exist_ok=True)
        for k in range(0, count, ROWS_PER_FILE):
            pq.write_table(table[k : k + ROWS_PER_FILE], part / f"{k:06}.parquet")
        part.rename(made)
    return str(made)


def checked(path: str) -> pa.Table:
    """The columns id and question of a Parquet file, or of a folder of them.

    Raises typer.BadParameter where it cannot be read, or a row could not be answered.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise typer.BadParameter(f"--input {path}: there is no such file or folder") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise typer.BadParameter(f"--input {path}: this is not Parquet ({reason})") from None
    if lacks := {"id", "question"} - set(table.column_names):
        raise typer.BadParameter(
            f"--input {path}: it has no column '{min(lacks)}', only {', '.join(table.column_names)}"
        )
    ids, asked = table["id"], table["question"]
    if not (pa.types.is_string(asked.type) or pa.types.is_large_string(asked.type)):
        raise typer.BadParameter(f"--input {path}: 'question' is {asked.type}, not text")
    if not len(table):
        raise typer.BadParameter(f"--input {path}: it has no rows")
    if ids.null_count or asked.null_count or pc.min(pc.utf8_length(asked)).as_py() == 0:
        raise typer.BadParameter(f"--input {path}: some row has no id or no question")
    if len(ids.unique()) < len(ids):
        raise typer.BadParameter(f"--input {path}: some id is there twice")
    return table.select(["id", "question"])
