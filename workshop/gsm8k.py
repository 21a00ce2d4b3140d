"""What the scripts of the GSM-8K take-home share: questions, numbers, and files of answers.

The data: Cobbe et al. 2021, https://arxiv.org/abs/2110.14168, on the hub as openai/gsm8k.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import typer

from workshop import llm

NUMBER = re.compile(r"[^\d\n]*?([-−]?) *[$€£]? *(\d[\d,]*(?:\.\d+)?|\.\d+)")  # noqa: RUF001
SCHEMA = pa.schema(
    dict(id=pa.int64(), question=pa.string(), text=pa.string(), finish=pa.string())
    | dict(tokens=pa.int64(), predicted=pa.float64(), gold=pa.float64(), correct=pa.bool_())
)
GENERATED = 200


def number(text: str) -> float | None:
    """The first one on the line after ####, as in "#### 18", "#### $1,234.50" or "#### -3 eggs"."""
    found = NUMBER.match(text.partition("####")[2])
    return float(found[2].replace(",", "")) * (-1 if found[1] else 1) if found else None


def load(data: str = "", split: str = "test", count: int | None = None, seed: int = 0) -> list:
    """COUNT problems, all if None, of the hub, of a file or generated: a line of JSON each."""
    if data == "hub":
        lines = [json.dumps(row).encode() for row in from_hub(split)]
    elif data:
        try:
            lines = Path(data).read_bytes().removesuffix(b"\n").split(b"\n")
        except OSError as error:
            raise typer.BadParameter(f"--data {data}: {error.strerror}") from None
    else:
        problems = llm.problems(count or GENERATED, seed)
        lines = [json.dumps(dict(question=p.question, answer=p.answer)).encode() for p in problems]
    return lines[:count]


def from_hub(split: str) -> list[dict]:
    from datasets import load_dataset  # before llm.prepare: a model in a folder turns the hub off

    try:
        return list(load_dataset("openai/gsm8k", "main", split=split))
    except Exception as error:  # no network, no such host, no answer: each of another kind
        reason = str(error).partition("\n")[0]
        raise typer.BadParameter(
            f"the hub gives no openai/gsm8k ({reason}): --data FILE.jsonl takes a file"
        ) from None


def examined(line: bytes) -> dict:
    """Question, answer and gold number of a line; ValueError says why it has none."""
    try:
        row = json.loads(line.decode())
        json.dumps(row, ensure_ascii=False).encode()  # "\ud800" is JSON, and no text
    except UnicodeError:
        raise ValueError("not UTF-8") from None
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    for key in ("question", "answer"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise ValueError(f"no {key}")
    if (gold := number(row["answer"])) is None:
        raise ValueError("no number after #### in the answer")
    return dict(question=row["question"], answer=row["answer"], gold=gold)


def sorted_out(lines: list[bytes]) -> tuple[list[dict], list[dict]]:
    """The good rows, each with the number of its line as id, and the bad ones with a reason."""
    good, bad = [], []
    for k, line in enumerate(lines):
        try:
            good.append(dict(id=k) | examined(line))
        except ValueError as error:
            bad.append(dict(id=k, reason=str(error), line=line.decode(errors="replace")))
    return good, bad


def as_chats(rows: list[dict]) -> list[dict]:
    """Questions and answers as messages: what a model is shown before its own question."""
    return [
        dict(role=role, content=row[key])
        for row in rows
        for role, key in (("user", "question"), ("assistant", "answer"))
    ]


def put(file: Path, text: str) -> None:
    """Writes the file as a whole or not at all."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)


def begin(out: Path, fresh: bool, bad: list[dict], settings: dict) -> list[dict]:
    """Makes the folder OUT with its quarantine; returns the answers that it holds already."""
    file = out / "settings.json"
    if fresh:  # what a run has written, and nothing else: OUT may be any folder
        for old in (*out.glob("answers/*.parquet"), out / "summary.json", file):
            old.unlink(missing_ok=True)
    if file.exists() and json.loads(file.read_text()) != settings:
        raise typer.BadParameter(
            f"{out} holds answers to other questions or of another model: --fresh deletes them"
        )
    try:
        (out / "answers").mkdir(parents=True, exist_ok=True)
        put(file, json.dumps(settings, indent=2))
    except OSError as error:
        raise typer.BadParameter(f"--out {out}: {error.strerror}") from None
    put(out / "quarantine.jsonl", "".join(json.dumps(row) + "\n" for row in bad))
    return kept(out)


def keep(out: Path, rows: list[dict]) -> None:
    """Writes rows that have id, question, text, finish, tokens and gold as one more file."""
    for row in rows:
        row["predicted"] = number(row["text"])
        row["correct"] = row["predicted"] == row["gold"]
    file = out / "answers" / f"{rows[0]['id']:06}.parquet"
    draft = file.with_suffix(".draft")
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), draft)
    draft.replace(file)


def kept(out: Path) -> list[dict]:
    """All rows that are done, in the order of the questions."""
    tables = [pq.read_table(file) for file in (out / "answers").glob("*.parquet")]
    return sorted((row for t in tables for row in t.to_pylist()), key=lambda row: row["id"])


def summed_up(out: Path, quarantined: int, before: set[int], seconds: float, ready: float) -> dict:
    """Counts what is in OUT, writes summary.json and returns it; speed is that of this run.

    A run that had nothing left to do leaves the summary of the run before.
    """
    rows = kept(out)
    new = [row for row in rows if row["id"] not in before]
    correct, tokens = sum(row["correct"] for row in rows), sum(row["tokens"] for row in new)
    figures = dict(questions=len(rows), quarantined=quarantined, correct=correct)
    figures |= dict(accuracy=correct / len(rows) if rows else 0.0)
    figures |= dict(unanswered=sum(row["predicted"] is None for row in rows))
    figures |= dict(finish=Counter(row["finish"] for row in rows), tokens=tokens)
    figures |= dict(generated=len(new), seconds=seconds, ready_seconds=ready)
    figures |= dict(tokens_per_second=tokens / seconds if new else None)
    figures |= dict(answer=llm.digest([row["text"] for row in rows]))
    if new or not (out / "summary.json").exists():
        put(out / "summary.json", json.dumps(figures, indent=2))
    return figures
