"""Grades the take-home: one line a criterion, points, exit code 0 if all is well and 1 if not.

    python vllm_examples/gsm8k/check.py vllm_examples/gsm8k/mine.py

It has a script answer questions of its own, some of which are broken, kills it with -9 when a third
is answered, and starts it again. Given a folder of answers instead of a script, it looks at them:

    python vllm_examples/gsm8k/check.py out/vllm_examples/gsm8k/mine --data hub

What can be is computed again from the texts, whatever the script says about itself.
"""

import ast
import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq
import typer

from workshop import gsm8k, llm
from workshop.runner import Run, run_script

HERE = Path("out/vllm_examples/gsm8k")
WORK = HERE / "check"
POINTS = dict(files=5, schema=10, rows=15, quarantine=10, numbers=15, accuracy=10)
POINTS |= dict(honesty=10, resume=15, speed=10)
FASTER = 3  # times the baseline's tokens/s
SOLVED = 0.8  # of what the workshop's model is asked properly it solves more
TYPES = dict(id="int64", question="string", text="string", finish="string", tokens="int64")
TYPES |= dict(predicted="double", gold="double", correct="bool")
KEYS = "questions quarantined correct accuracy generated seconds tokens_per_second".split()
MARK = "\n(kept)"  # goes into finished texts between two runs, and is gone if they are made again
FALSE = "1,234,567|-31,007|$48,213.50|-$2,750|70,001 dollars|$ 912.25 each|640.5%|.0625".split("|")
BROKEN = (
    b"",
    b'{"question": "How many eggs are there?", "answer": "#### 3"',
    b'["How many eggs are there?", "#### 3"]',
    b'{"question": "How many eggs are there?"}',
    b'{"question": "", "answer": "#### 3"}',
    b'{"question": 3, "answer": "#### 3"}',
    b'{"question": "How many eggs are there?", "answer": "#### three\\n3"}',
    b'{"question": "How many \xff eggs?", "answer": "#### 3"}',
)


@dataclass
class Questions:
    """What must be answered: by line number the question and its gold number, and the bad lines."""

    good: dict[int, tuple[str, float]] = field(default_factory=dict)
    bad: list[int] = field(default_factory=list)
    false: list[int] = field(default_factory=list)  # their gold numbers are wrong on purpose


@dataclass(frozen=True)
class Line:
    name: str
    well: bool
    sentence: str


class Wrong(Exception):
    """A sentence on what is wrong with one criterion."""


def number(text: str) -> float | None:
    """The first number on the line after ####, thousands commas and currencies apart."""
    line = text.partition("####")[2].partition("\n")[0].replace(",", "").replace("−", "-")  # noqa: RUF001
    found = re.search(r"-?[ $€£]*(\d+(\.\d+)?|\.\d+)", line)
    return float(found[1]) * (-1 if "-" in found[0] else 1) if found else None


def expected(lines: list[bytes]) -> Questions:
    made = Questions()
    for k, line in enumerate(lines):
        try:
            row = json.loads(line.decode())
            (row["question"] + row["answer"]).encode()  # "\\ud800" is JSON, and no text
            gold = number(row["answer"]) if row["question"].strip() else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            gold = None
        if gold is None:
            made.bad.append(k)
        else:
            made.good[k] = row["question"], gold
    return made


def own_questions(count: int, seed: int) -> tuple[list[bytes], Questions]:
    """About COUNT lines: problems, some with a false answer, some broken; one is far too long."""
    rows = [dict(question=p.question, answer=p.answer) for p in llm.problems(count, seed)]
    rows[-1] = rows[0]  # asked twice is answered twice
    rows[count // 2]["question"] = " ".join(row["question"] for row in rows[:20])
    false = range(3, count - 1, max(count // 20, 2))
    for n, k in enumerate(false):
        told = rows[k]["answer"].rpartition("#### ")
        rows[k]["answer"] = "".join(told[:2]) + FALSE[n % len(FALSE)]
    lines = [json.dumps(row).encode() for row in rows]
    step = count // len(BROKEN)
    for n, line in enumerate(BROKEN):
        lines[n * step + 1] = line
    made = expected(lines)
    made.false = [k for k in false if k in made.good]
    return lines, made


def some(ids: list) -> str:
    """Such as "ids 3, 5, 8, ..."."""
    return f"id{'s' * (len(ids) > 1)} {', '.join(map(str, ids[:3]))}{', ...' * (len(ids) > 3)}"


class Answers:
    """What lies in a folder. Each criterion is a method that says what is well, or raises Wrong."""

    def __init__(self, out: Path, questions: Questions) -> None:
        self.questions, self.tables, self.problems = questions, {}, []
        for file in sorted(out.glob("answers/*.parquet")):
            try:
                self.tables[file] = pq.read_table(file, partitioning=None)
            except (OSError, pa.ArrowException):
                self.problems.append(
                    f"answers/{file.name} is no whole Parquet file: write under another name,"
                    " then rename"
                )
        if not self.tables:
            self.problems.append(f"no Parquet file in {out / 'answers'}")
        self.summary = self.read(out / "summary.json", json.loads, {})
        self.quarantine = self.read(
            out / "quarantine.jsonl", lambda text: [json.loads(x) for x in text.splitlines()], []
        )
        self.rows = [row for table in self.tables.values() for row in self.as_rows(table)]

    def read(self, file: Path, parse: Callable, nothing: dict | list) -> dict | list:
        try:
            return parse(file.read_text())
        except OSError:
            self.problems.append(f"{file.name} is missing")
        except ValueError:
            self.problems.append(f"{file.name} is not JSON")
        return nothing

    @staticmethod
    def as_rows(table: pa.Table) -> list[dict]:
        """Values of the right type where they can be had: a wrong type is one fault, not five."""
        for k, name in enumerate(table.column_names):
            with contextlib.suppress(pa.ArrowException, KeyError):
                wanted = gsm8k.SCHEMA.field(name).type
                table = table.set_column(k, name, table[name].cast(wanted))
        return table.to_pylist()

    def text_of(self) -> dict[int, str]:
        return {row.get("id"): row.get("text") or "" for row in self.rows}

    def right(self) -> int:
        texts = self.text_of()
        return sum(number(texts.get(k, "")) == gold for k, (_, gold) in self.questions.good.items())

    def files(self) -> str:
        if self.problems:
            raise Wrong("; ".join(self.problems))
        if lacking := [key for key in KEYS if key not in self.summary]:
            raise Wrong(f"summary.json has no {', '.join(lacking)}")
        return f"{len(self.tables)} files of answers, summary.json, quarantine.jsonl"

    def schema(self) -> str:
        if not self.tables:
            raise Wrong("there are no answers")
        for file, table in self.tables.items():
            has = {f.name: str(f.type).removeprefix("large_") for f in table.schema}
            for name, wanted in TYPES.items():
                if name not in has:
                    raise Wrong(f"answers/{file.name} has no column '{name}' ({wanted})")
                if has[name] != wanted:
                    raise Wrong(f"column '{name}' is {has[name]} in {file.name}, must be {wanted}")
        return f"{len(TYPES)} columns, each of its type"

    def one_row_each(self) -> str:
        good, counts = self.questions.good, Counter(row.get("id") for row in self.rows)
        if lost := sorted(good.keys() - counts.keys()):
            raise Wrong(f"{len(lost)} of {len(good)} questions have no row: {some(lost)}")
        if double := sorted(k for k in good if counts[k] > 1):
            raise Wrong(f"{len(double)} questions have more than one row: {some(double)}")
        if strange := sorted(counts.keys() - good.keys(), key=str):
            raise Wrong(f"{len(strange)} rows are no question's, but a bad line's: {some(strange)}")
        other = [row["id"] for row in self.rows if row.get("question") != good[row["id"]][0]]
        if other:
            raise Wrong(f"{len(other)} rows hold another question than their line: {some(other)}")
        return f"{len(good)} questions, one row each"

    def quarantined(self) -> str:
        has = [row.get("id") if isinstance(row, dict) else None for row in self.quarantine]
        missing = [k for k in self.questions.bad if k not in has]
        if missing:
            raise Wrong(f"{len(missing)} bad lines are not in quarantine.jsonl: {some(missing)}")
        if extra := [k for k in has if k not in self.questions.bad]:
            raise Wrong(f"quarantine.jsonl holds good lines: {some(extra)}")
        if len(has) > len(self.questions.bad):
            raise Wrong("quarantine.jsonl holds a line more than once")
        if mute := [row["id"] for row in self.quarantine if not row.get("reason")]:
            raise Wrong(f"lines in quarantine.jsonl have no reason: {some(mute)}")
        return f"{len(has)} bad lines, each with a reason"

    def numbers(self) -> str:
        if not self.rows:
            raise Wrong("there are no answers")
        for row in self.rows:
            k, text = row.get("id"), row.get("text") or ""
            gold = self.questions.good.get(k, (None, None))[1]
            if gold is not None and row.get("gold") != gold:
                raise Wrong(f"gold of id {k} is {row.get('gold')}, its line says {gold}")
            if row.get("predicted") != number(text):
                raise Wrong(
                    f"predicted of id {k} is {row.get('predicted')}, its text says {number(text)}:"
                    f" {text.removesuffix(MARK)[-40:]!r}"
                )
            if row.get("correct") is not (row["predicted"] == row.get("gold")):
                raise Wrong(
                    f"id {k}: predicted {row['predicted']}, gold {row.get('gold')},"
                    f" and correct is {row.get('correct')}"
                )
        return "gold, predicted and correct are what lines and texts say"

    def accuracy(self) -> str:
        good, right = self.questions.good, self.right()
        own = right / max(len(good), 1)
        if not any(self.text_of().values()):
            raise Wrong("there are no texts of a model")
        said, counted = self.summary.get("accuracy"), self.summary.get("correct")
        if not isinstance(said, int | float) or abs(said - own) > 1e-4:
            raise Wrong(
                f"summary.json says {said}; right are {right} of all {len(good)} questions:"
                f" {own:.4f}"
            )
        if (counted, self.summary.get("questions")) != (right, len(good)):
            raise Wrong(
                f"summary.json says {counted} right of {self.summary.get('questions')} questions,"
                f" it is {right} of {len(good)}"
            )
        return f"{right} of {len(good)} right: {own:.2%}, as summary.json says"

    def honest(self, model: str) -> str:
        """False gold numbers are in the data, which no model finds unless it was shown them; and
        what the workshop's model makes of the others is known.
        """
        texts, known = self.text_of(), {row.get("id"): row for row in self.rows}
        if not any(texts.get(k) for k in self.questions.false):
            raise Wrong("there are no texts of a model")
        found = [
            k
            for k in self.questions.false
            if self.questions.good[k][1]
            in (number(texts.get(k, "")), known.get(k, {}).get("predicted"))
        ]
        if found:
            raise Wrong(f"answers come from the gold ones, which are false there: {some(found)}")
        right, fair = self.right(), len(self.questions.good) - len(self.questions.false)
        if model == llm.MODEL and right < SOLVED * fair:
            raise Wrong(
                f"{right} of {fair} right: the workshop's model solves nine of ten of these, asked"
                " as its chat template has it"
            )
        return f"{len(self.questions.false)} false gold answers, and none of them was given"


def count(out: Path) -> int:
    """Rows on disk, in files that are whole."""
    rows = 0
    for file in out.glob("answers/*.parquet"):
        with contextlib.suppress(OSError, pa.ArrowException):
            rows += pq.read_metadata(file).num_rows
    return rows


def mark(out: Path) -> int:
    """Adds MARK to each text on disk; returns how many there are."""
    for file in out.glob("answers/*.parquet"):
        with contextlib.suppress(OSError, pa.ArrowException, KeyError):
            table = pq.read_table(file, partitioning=None)
            texts = pa.array([f"{text or ''}{MARK}" for text in table["text"].to_pylist()])
            place = table.column_names.index("text")
            draft = file.with_suffix(".marked")
            pq.write_table(table.set_column(place, "text", texts), draft)
            draft.replace(file)
    return count(out)


@dataclass(frozen=True)
class Trial:
    """A script that was killed and started again: rows on disk in between, and both runs."""

    on_disk: int
    first: Run
    last: Run

    def ended_well(self) -> None:
        if self.last.exit_code:
            said = self.last.stderr.strip().splitlines() or ["it said nothing"]
            raise Wrong(f"the script ended with exit code {self.last.exit_code}: {said[-1][:200]}")

    def resumed(self, answers: Answers) -> str:
        self.ended_well()
        killed = self.first.exit_code == -signal.SIGKILL
        if not killed or self.on_disk >= len(answers.questions.good):
            raise Wrong(
                "no answer was on disk before all were: killed half-way, the script loses all;"
                " write a file of answers after each batch"
            )
        known = {row.get("id"): row.get("text") or "" for row in answers.rows}
        marked = sum(text.endswith(MARK) for text in known.values())
        made, said = len(known) - marked, answers.summary.get("generated")
        if marked < self.on_disk:
            raise Wrong(
                f"{self.on_disk} rows were on disk when it was killed, and {self.on_disk - marked}"
                " of them were generated again"
            )
        if said != made:
            raise Wrong(
                f"summary.json says {said} generated in the last run; {self.on_disk} rows were"
                f" there before it, and {made} are new"
            )
        return (
            f"killed with {self.on_disk} rows on disk; the others, {made}, came in the second run"
        )

    def speed(self, answers: Answers, script: Path, baseline: Path, model: str) -> str:
        self.ended_well()
        nodes = ast.walk(ast.parse(script.read_text()))
        named = {getattr(node, "attr", getattr(node, "id", "")) for node in nodes}
        if not named & {"map_batches", "build_processor"}:
            raise Wrong("no map_batches in the script: what counts is vLLM on Ray Data")
        own = tokens_per_second(baseline, model)
        tokens, moments, texts = 0, [], []
        for file, table in answers.tables.items():
            rows = [row for row in answers.as_rows(table) if not (row["text"] or "").endswith(MARK)]
            tokens += sum(row["tokens"] for row in rows)
            texts += [row["text"] or "" for row in rows]
            moments += [file.stat().st_mtime] * bool(rows)
        if abs(tokens / max(counted := count_tokens(texts, model), 1) - 1) > 0.1:
            raise Wrong(f"column 'tokens' has {tokens} in all, the texts have {counted}")
        if len(moments) < 2:
            raise Wrong("all that the last run made is one file: at most 64 rows go into each")
        seconds, said = (answers.summary.get(key) for key in ("seconds", "tokens_per_second"))
        if not tokens or not seconds or not said:
            raise Wrong("no tokens, or no seconds and tokens_per_second in summary.json")
        between = max(moments) - min(moments)
        if seconds < 0.8 * between or abs(said * seconds / tokens - 1) > 0.02:
            raise Wrong(
                f"summary.json says {said:.0f} tokens/s in {seconds:.2f} s; the run made {tokens}"
                f" tokens, and its files are {between:.2f} s apart (Ray Data is lazy: time its use)"
            )
        told = f"{said:.0f} tokens/s, {said / own:.1f} times your baseline's {own:.0f}"
        if said < FASTER * own:
            raise Wrong(f"{told}: {FASTER} times is the least (engine start does not count)")
        return told


def count_tokens(texts: list[str], model: str) -> int:
    return sum(map(len, tokenizer(model)(texts, add_special_tokens=False)["input_ids"]))


@functools.cache
def tokenizer(model: str):
    from transformers import AutoTokenizer  # takes seconds

    return AutoTokenizer.from_pretrained(model)


def tokens_per_second(baseline: Path, model: str) -> float:
    try:
        summary, settings = (
            json.loads((baseline / f"{name}.json").read_text()) for name in ("summary", "settings")
        )
        speed, of = summary["tokens"] / summary["seconds"], settings["model"]
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        raise Wrong(
            f"no baseline in {baseline}: run python vllm_examples/gsm8k/baseline.py first"
        ) from None
    if of != model:
        raise Wrong(f"the baseline in {baseline} is of {of}: run baseline.py --model {model} again")
    return speed


def tried(script: Path, lines: list[bytes], model: str, limit: float) -> Trial:
    """Runs the script on LINES, kills it when a third is on disk, marks that, and runs it again."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    data, out = (WORK / "questions.jsonl").absolute(), (WORK / "out").absolute()
    data.write_bytes(b"\n".join(lines) + b"\n")
    flags = ["--data", str(data), "--out", str(out), "--model", model]

    def watch(process: subprocess.Popen) -> None:
        while process.poll() is None:
            if count(out) >= len(lines) / 3:
                os.kill(process.pid, signal.SIGKILL)
                return
            time.sleep(0.02)

    def started(process: subprocess.Popen) -> None:
        threading.Thread(target=watch, args=(process,), daemon=True).start()

    def run(**more) -> Run:
        return run_script(script, *flags, python=sys.executable, timeout=limit, **more)

    print(f"{script} answers {len(lines)} questions until a third is on disk ...", flush=True)
    first = last = run(started=started)
    on_disk = 0
    if first.exit_code == -signal.SIGKILL:
        on_disk = mark(out)
        told = f"killed with {on_disk} of {len(lines)} lines answered on disk; it runs again ..."
        print(told, flush=True)
        last = run()
    return Trial(on_disk, first, last)


def looked_at(name: str, look: Callable[[], str]) -> Line:
    try:
        return Line(name, True, look())
    except Wrong as wrong:
        return Line(name, False, str(wrong))
    except Exception as error:  # what a student's files hold is anybody's guess
        return Line(name, False, f"cannot be looked at: {type(error).__name__}: {error}")


def grade_folder(answers: Answers) -> list[Line]:
    looks = dict(files=answers.files, schema=answers.schema, rows=answers.one_row_each)
    looks |= dict(quarantine=answers.quarantined, numbers=answers.numbers)
    looks |= dict(accuracy=answers.accuracy)
    return [looked_at(name, look) for name, look in looks.items()]


def grade(answers: Answers, trial: Trial, script: Path, baseline: Path, model: str) -> list[Line]:
    return [
        *grade_folder(answers),
        looked_at("honesty", lambda: answers.honest(model)),
        looked_at("resume", lambda: trial.resumed(answers)),
        looked_at("speed", lambda: trial.speed(answers, script, baseline, model)),
    ]


def main(
    what: Annotated[Path, typer.Argument(help="Your script, or a folder of answers.")],
    questions: int | None = None,
    data: str = "",
    baseline: Path = HERE / "baseline",
    limit: float = 300,
    model: str = llm.MODEL,
    seed: int = 42,
) -> None:
    """Grades a script, which gets QUESTIONS (400) and at most LIMIT seconds for each of two runs.

    Given a folder it grades the answers in it; DATA, QUESTIONS and SEED are those of their run.
    """
    if questions is not None and questions < (1 if what.is_dir() else 60):
        raise typer.BadParameter("--questions starts at 60, with a folder at 1")
    if not what.exists():
        raise typer.BadParameter(f"there is no '{what}': give your script, or a folder of answers")
    if what.is_dir():
        lines = grade_folder(Answers(what, expected(gsm8k.load(data, "test", questions, seed))))
    else:
        if data:
            raise typer.BadParameter("--data goes with a folder: a script gets the checker's own")
        llm.prepare(model)
        asked, wanted = own_questions(questions or 400, seed + 1000)
        trial = tried(what, asked, model, limit)
        lines = grade(Answers(WORK / "out", wanted), trial, what, baseline, model)
    for line in lines:
        points = POINTS[line.name]
        print(f"{points * line.well:3} of {points:2}  {line.name:11} {line.sentence}")
    got = sum(POINTS[line.name] for line in lines if line.well)
    print(f"{got} of {sum(POINTS[line.name] for line in lines)} points")
    raise typer.Exit(0 if all(line.well for line in lines) else 1)


if __name__ == "__main__":
    typer.run(main)
