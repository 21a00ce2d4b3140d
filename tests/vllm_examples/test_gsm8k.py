"""The take-home: the reference on the real questions, killed half-way, and what the checker sees.

Four engine starts in all: two of the reference on the real data, two under the checker.
"""

import json
import os
import random
import re
import runpy
import shutil
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support import KILL_9, SHARED, call_main, here, refusal, run_until
from workshop import gsm8k, llm
from workshop.lessons import ROOT
from workshop.runner import Run, run_script

FOLDER = ROOT / "vllm_examples" / "gsm8k"
REFERENCE, STARTER, CHECK, BASELINE = (
    FOLDER / f"{name}.py" for name in ("reference", "starter", "check", "baseline")
)
DATA = ROOT.parent / "shared" / "data" / "gsm8k" / "test.jsonl"
DATA = Path(os.environ.get("GSM8K_TEST", DATA))
REAL, CHECKED = 1319, "out/vllm_examples/gsm8k"
checker = SimpleNamespace(**runpy.run_path(str(CHECK)))

NUMBERS = [
    ("#### 18", 18),
    ("so it is 7.\n#### 1,450,000", 1_450_000),
    ("#### -10", -10),
    ("#### $1,234.50", 1234.5),
    ("#### -$5", -5),
    ("#### $-5", -5),
    ("#### \u2212 7", -7),
    ("####3 dollars", 3),
    ("#### 12.5%", 12.5),
    ("#### .25 litres", 0.25),
    ("#### 20.", 20),
    ("#### about 40 euros", 40),
    ("#### 5\n#### 6", 5),
    ("3 + 4 = 7", None),
    ("#### none\n8", None),
    ("#### none\n#### 8", None),
    ("####", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "value"), NUMBERS)
def test_numbers(text: str, value: float | None) -> None:
    assert gsm8k.number(text) == value
    assert checker.number(text) == value


def test_numbers_however_they_are_written() -> None:
    rng = random.Random(0)
    for _ in range(2000):
        value = rng.choice([rng.randint(0, 20), rng.randint(0, 10**7), rng.randint(0, 10**6) / 100])
        written = rng.choice([f"{value:,}", str(value)])
        minus, coin = rng.choice(["", "-", "- ", "\u2212"]), rng.choice(["", "$", "$ ", "€", "£"])
        before, after = (
            rng.choice(["", " ", " is "]),
            rng.choice(["", ".", "%", " eggs", "\n#### 3"]),
        )
        text = f"so 2 + 2.\n####{before}{minus}{coin}{written}{after}"
        wanted = -value if minus else value
        assert gsm8k.number(text) == wanted, repr(text)
        assert checker.number(text) == wanted, repr(text)


def test_bad_lines_get_a_reason() -> None:
    lines = [
        (b'{"question": "How many?", "answer": "2+3=5\\n#### 5"}\r', None),
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'["How many?", "#### 5"]', "not a JSON object"),
        (b'{"answer": "#### 5"}', "no question"),
        (b'{"question": " ", "answer": "#### 5"}', "no question"),
        (b'{"question": "How many?", "answer": 5}', "no answer"),
        (b'{"question": "How many?", "answer": "five"}', "no number after #### in the answer"),
        (b'{"question": "How \xff many?", "answer": "#### 5"}', "not UTF-8"),
        (b'{"question": "How \\ud800 many?", "answer": "#### 5"}', "not UTF-8"),
        ('{"question": "one\u2028line", "answer": "#### 5"}'.encode(), None),
    ]
    good, bad = gsm8k.sorted_out([line for line, _ in lines])
    assert [row["id"] for row in good] == [k for k, (_, why) in enumerate(lines) if not why]
    assert [row["reason"] for row in bad] == [why for _, why in lines if why]
    json.dumps(bad).encode()
    wanted = checker.expected([line for line, _ in lines])
    assert (list(wanted.good), wanted.bad) == ([row["id"] for row in good], [r["id"] for r in bad])


def test_the_hub_by_the_library_that_knows_it(tmp_path: Path) -> None:
    """A folder of that name stands for the hub, which is not reached here."""
    code = "from workshop import gsm8k; print(gsm8k.load('hub', 'test')[0].decode())"
    home = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    python = tmp_path / "load.py"
    python.write_text(code)
    how = dict(env=home, cwd=tmp_path, python=sys.executable, timeout=60)
    absent = run_script(python, **how)
    assert "the hub gives no openai/gsm8k" in absent.error
    assert "--data FILE.jsonl takes a file" in absent.error

    folder, row = tmp_path / "openai" / "gsm8k", dict(question="How many?", answer="#### 5")
    folder.mkdir(parents=True)
    (folder / "test.jsonl").write_text(json.dumps(row))
    files = "[{split: test, path: test.jsonl}]"
    (folder / "README.md").write_text(
        f"---\nconfigs: [{{config_name: main, data_files: {files}}}]\n---"
    )
    present = run_script(python, **how)
    assert json.loads(present.stdout) == row, present.error


def test_examples_are_turns_of_the_chat() -> None:
    shown = gsm8k.as_chats(
        [dict(question="a?", answer="#### 1"), dict(question="b?", answer="#### 2")]
    )
    assert [turn["role"] for turn in shown] == ["user", "assistant"] * 2
    assert [turn["content"] for turn in shown] == ["a?", "#### 1", "b?", "#### 2"]


@pytest.mark.parametrize("script", [REFERENCE, STARTER, BASELINE], ids=lambda path: path.stem)
def test_wrong_flags(script: Path, tmp_path: Path) -> None:
    out = f"--out={tmp_path / 'out'}"
    assert "start at 1" in refusal(script, "--questions", "0", out)
    assert "No such file" in refusal(script, "--data", "nowhere.jsonl", out)
    assert "no model 'nowhere'" in refusal(script, "--model", "nowhere", out)
    assert not (tmp_path / "out").exists()


def test_wrong_flags_of_the_checker(tmp_path: Path) -> None:
    assert "there is no 'nowhere.py'" in refusal(CHECK, "nowhere.py")
    assert "--data goes with a folder" in refusal(CHECK, str(STARTER), "--data", "hub")
    assert "starts at 60" in refusal(CHECK, str(STARTER), "--questions", "5")


def rows_of(out: Path) -> list[dict]:
    tables = [pq.read_table(file) for file in sorted(out.glob("answers/*.parquet"))]
    return [row for table in tables for row in table.to_pylist()]


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> SimpleNamespace:
    """The reference on the 1,319 test questions, killed half-way and started again."""
    if not DATA.is_file():
        pytest.skip(f"no GSM-8K test split in {DATA.name} beside the repository, nor in GSM8K_TEST")
    out = tmp_path_factory.mktemp("real") / "out"
    given = dict(data=str(DATA), out=str(out), tokens=24)
    flags = [f"--{name}={value}" for name, value in given.items()]

    dead = run_until(lambda _: checker.count(out) >= REAL // 2, REFERENCE, *flags)
    assert dead.exit_code == KILL_9, dead.error
    before = {file: file.read_bytes() for file in out.glob("answers/*.parquet")}
    done = len(rows_of(out))
    call = call_main(REFERENCE, given, SHARED.env(), timeout=120)
    return SimpleNamespace(out=out, before=before, done=done, call=call, given=given)


def test_every_real_question_is_answered_once(real) -> None:
    rows = rows_of(real.out)
    assert sorted(row["id"] for row in rows) == list(range(REAL))
    questions = [json.loads(line)["question"] for line in DATA.open()]
    assert all(row["question"] == questions[row["id"]] for row in rows)


def test_what_was_done_before_the_kill_is_not_done_again(real) -> None:
    assert REAL // 2 <= real.done < REAL
    assert real.call.figures["generated"] == REAL - real.done
    assert {file: file.read_bytes() for file in real.before} == real.before
    assert f"{REAL} questions, {real.done} answered before" in real.call.run.stdout


def test_every_gold_answer_is_parsed(real) -> None:
    """As by the pattern of those who made GSM-8K."""
    official = re.compile(r"#### (\-?[0-9\.\,]+)")
    answers = [json.loads(line)["answer"] for line in DATA.open()]
    golds = [float(official.search(answer)[1].replace(",", "")) for answer in answers]
    assert [row["gold"] for row in sorted(rows_of(real.out), key=lambda row: row["id"])] == golds
    assert real.out.joinpath("quarantine.jsonl").read_text() == ""


def test_accuracy_is_told_whatever_it_is(real) -> None:
    figures = real.call.figures
    right = sum(row["predicted"] == row["gold"] for row in rows_of(real.out))
    assert figures["correct"] == right and figures["accuracy"] == right / REAL
    assert f"{right} of {REAL} right ({right / REAL:.2%})" in real.call.run.stdout
    assert json.loads((real.out / "summary.json").read_text())["accuracy"] == right / REAL


def test_a_question_beyond_the_context_is_a_row_without_a_text(real) -> None:
    from transformers import AutoTokenizer

    long = [row for row in rows_of(real.out) if row["finish"] == "too long"]
    words = AutoTokenizer.from_pretrained(llm.MODEL)
    assert len(long) == 1 and len(words(long[0]["question"])["input_ids"]) > 510
    assert (long[0]["text"], long[0]["tokens"], long[0]["predicted"]) == ("", 0, None)
    assert all(row["tokens"] <= 24 for row in rows_of(real.out))


def test_the_checker_agrees_about_the_real_answers(real) -> None:
    wanted = checker.expected(gsm8k.load(str(DATA)))
    lines = checker.grade_folder(checker.Answers(real.out, wanted))
    assert [line for line in lines if not line.well] == []


def test_with_nothing_left_to_do_it_starts_nothing(real) -> None:
    summary = (real.out / "summary.json").read_text()
    figures = here(REFERENCE, **real.given | dict(out=real.out))
    assert figures["generated"] == 0 and figures["answer"] == real.call.figures["answer"]
    assert (real.out / "summary.json").read_text() == summary


def test_answers_of_another_run_are_not_mixed_in(real) -> None:
    said = refusal(REFERENCE, f"--out={real.out}", "--questions=5")
    assert "holds answers to other questions or of another model" in said
    assert len(rows_of(real.out)) == REAL


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder in which the baseline has run."""
    place = tmp_path_factory.mktemp("check")
    figures = call_main(BASELINE, dict(questions=24), {}, cwd=place).figures
    assert figures["generated"] == 24 and figures["tokens_per_second"] > 0
    return place


@pytest.fixture(scope="module")
def passed(place: Path) -> SimpleNamespace:
    """The checker on the reference: what it said, and a copy of the answers that it saw."""
    run = run_script(CHECK, str(REFERENCE), cwd=place, env=SHARED.env(), timeout=170)
    on_disk = re.search(r"killed with (\d+) of 400 lines", run.stdout)
    assert on_disk, run.stdout + run.stderr
    out = shutil.copytree(place / CHECKED / "check" / "out", place / "passed")
    killed, ended = Run(KILL_9, "", "", 1.0), Run(0, "", "", 1.0)
    trial = checker.Trial(int(on_disk[1]), killed, ended)
    _, wanted = checker.own_questions(400, 1042)
    return SimpleNamespace(run=run, out=out, trial=trial, wanted=wanted, place=place)


def test_the_baseline_writes_what_the_reference_writes(place: Path, passed) -> None:
    slow, quick = rows_of(place / CHECKED / "baseline"), rows_of(passed.out)
    assert Counter(slow[0].keys()) == Counter(quick[0].keys())
    texts = [row["text"] for row in slow]
    wanted = checker.expected(gsm8k.load("", "test", 24, 42))
    answers = checker.Answers(place / CHECKED / "baseline", wanted)
    assert [line for line in checker.grade_folder(answers) if not line.well] == []
    assert llm.right(texts, llm.problems(24, 42)) >= 20


def test_the_reference_gets_all_points(passed) -> None:
    assert passed.run.exit_code == 0, passed.run.stdout
    assert "100 of 100 points" in passed.run.stdout
    assert max(map(len, passed.run.stdout.splitlines())) <= 150


def test_the_untouched_starter_gets_few(place: Path) -> None:
    run = run_script(CHECK, str(STARTER), cwd=place, timeout=60)
    assert run.exit_code == 1, run.error
    for sentence in (
        "10 of 10  schema      8 columns, each of its type",
        "0 of 15  rows        3 rows are no question's, but a bad line's: ids 201, 251, 301",
        "0 of 10  quarantine  8 bad lines are not in quarantine.jsonl: ids 1, 51, 101, ...",
        "0 of 15  numbers     gold of id 3 is 1.0, its line says 1234567.0",
        "0 of 10  honesty     there are no texts of a model",
        "0 of 15  resume      no answer was on disk before all were",
        "0 of 10  speed       no map_batches in the script",
    ):
        assert sentence in run.stdout, run.stdout
    assert re.search(r"^15 of 100 points$", run.stdout, re.MULTILINE)
    assert "cannot be looked at" not in run.stdout


def change(out: Path, edit, only=lambda file, rows: True) -> None:
    """Edits the rows of each file, or of some."""
    for file in out.glob("answers/*.parquet"):
        rows = pq.read_table(file).to_pylist()
        if only(file, rows):
            pq.write_table(pa.Table.from_pylist([edit(row) for row in rows], gsm8k.SCHEMA), file)


def resum(out: Path, **values) -> None:
    file = out / "summary.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def files(out: Path) -> list[Path]:
    return sorted(out.glob("answers/*.parquet"))


def duplicate_rows(out: Path) -> None:
    shutil.copy(files(out)[0], out / "answers" / "again.parquet")


def lost_rows(out: Path) -> None:
    """Left out of the answers and of the count, as if there were fewer questions."""
    files(out)[-1].unlink()
    rows = rows_of(out)
    right = sum(row["correct"] for row in rows)
    resum(out, questions=len(rows), correct=right, accuracy=right / len(rows))


def subset(out: Path) -> None:
    """Questions without a number in the answer don't count."""
    rows = [row for row in rows_of(out) if row["predicted"] is not None]
    resum(out, accuracy=sum(row["correct"] for row in rows) / len(rows))


def copied_numbers(out: Path) -> None:
    change(out, lambda row: row | dict(predicted=row["gold"], correct=True))
    resum(out, accuracy=1.0, correct=len(rows_of(out)))


def copied_texts(out: Path) -> None:
    def copied(row: dict) -> dict:
        kept = checker.MARK * row["text"].endswith(checker.MARK)
        new = dict(text=f"#### {row['gold']}{kept}", predicted=row["gold"], correct=True)
        return row | new

    change(out, copied)
    resum(out, accuracy=1.0, correct=len(rows_of(out)))


def wrong_type(out: Path) -> None:
    for file in files(out):
        table = pq.read_table(file)
        texts = table["predicted"].cast(pa.string())
        place = table.column_names.index("predicted")
        pq.write_table(table.set_column(place, "predicted", texts), file)


def no_column(out: Path) -> None:
    pq.write_table(pq.read_table(files(out)[0]).drop_columns(["finish"]), files(out)[0])


def no_summary(out: Path) -> None:
    (out / "summary.json").unlink()


def no_quarantine(out: Path) -> None:
    (out / "quarantine.jsonl").unlink()


def no_answers(out: Path) -> None:
    shutil.rmtree(out / "answers")


def half_a_file(out: Path) -> None:
    (out / "answers" / "half.parquet").write_bytes(files(out)[0].read_bytes()[:500])


def generated_again(out: Path) -> None:
    change(out, lambda row: row | dict(text=row["text"].removesuffix(checker.MARK)))


def believes_itself(out: Path) -> None:
    change(out, lambda row: row | dict(correct=True))


def timed_nothing(out: Path) -> None:
    """Around a line that only plans, as all of Ray Data's do."""
    resum(out, seconds=0.01, tokens_per_second=1e6)


def slow(out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    tokens = summary["tokens_per_second"] * summary["seconds"]
    resum(out, seconds=3600.0, tokens_per_second=tokens / 3600)


def no_model(out: Path) -> None:
    """The same words to every question."""

    def same(row: dict) -> dict:
        kept = checker.MARK * row["text"].endswith(checker.MARK)
        new = dict(text=f"#### 5{kept}", predicted=5.0, correct=row["gold"] == 5)
        return row | new

    change(out, same)
    right = sum(row["correct"] for row in rows_of(out))
    resum(out, correct=right, accuracy=right / len(rows_of(out)))


def more_tokens(out: Path) -> None:
    change(out, lambda row: row | dict(tokens=3 * row["tokens"]))
    summary = json.loads((out / "summary.json").read_text())
    resum(out, tokens_per_second=3 * summary["tokens_per_second"])


def one_file(out: Path) -> None:
    """What the last run made; with one file nothing is known about how long it took."""
    new = [
        file
        for file in files(out)
        if not pq.read_table(file)["text"][0].as_py().endswith(checker.MARK)
    ]
    rows = [row for file in new for row in pq.read_table(file).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, gsm8k.SCHEMA), new[0])
    for file in new[1:]:
        file.unlink()


def bad_line_answered(out: Path) -> None:
    rows = pq.read_table(files(out)[0]).slice(0, 1).to_pylist()
    rows = [row | dict(id=1, tokens=0) for row in rows]
    pq.write_table(pa.Table.from_pylist(rows, gsm8k.SCHEMA), out / "answers" / "one.parquet")


ALL = "files schema rows quarantine numbers accuracy honesty resume speed".split()
FAULTS = [
    (duplicate_rows, ["rows"], "questions have more than one row: ids 0, "),
    (lost_rows, ["rows", "accuracy"], "of 392 questions have no row: ids "),
    (subset, ["accuracy"], " of all 392 questions: 0."),
    (copied_numbers, ["numbers", "accuracy", "honesty"], "answers come from the gold ones"),
    (
        copied_texts,
        ["honesty", "speed"],
        "from the gold ones, which are false there: ids 3,",
    ),
    (wrong_type, ["schema"], "column 'predicted' is string in"),
    (no_column, ["schema"], "has no column 'finish' (string)"),
    (no_summary, ["files", "accuracy"], "summary.json is missing"),
    (no_quarantine, ["files", "quarantine"], "quarantine.jsonl is missing"),
    (no_answers, ["files", "rows"], "no Parquet file in"),
    (half_a_file, ["files"], "half.parquet is no whole Parquet file: write under another name"),
    (generated_again, ["resume"], "of them were generated again"),
    (believes_itself, ["numbers"], "and correct is True"),
    (timed_nothing, ["speed"], "Ray Data is lazy: time its use"),
    (slow, ["speed"], "3 times is the least"),
    (no_model, ["honesty", "speed"], "of 372 right: the workshop's model solves nine of ten"),
    (more_tokens, ["speed"], " in all, the texts have "),
    (one_file, ["speed"], "all that the last run made is one file"),
    (bad_line_answered, ["rows"], "1 rows are no question's, but a bad line's: id 1"),
]
EXACT = (duplicate_rows, subset, copied_numbers, copied_texts, wrong_type, believes_itself)
EXACT += (timed_nothing, slow, half_a_file, no_quarantine, no_model, more_tokens, one_file)


def graded(passed, out: Path) -> list:
    answers = checker.Answers(out, passed.wanted)
    baseline = passed.place / CHECKED / "baseline"
    return checker.grade(answers, passed.trial, REFERENCE, baseline, llm.MODEL)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0].__name__)
def test_a_seeded_fault_is_caught(passed, tmp_path: Path, fault: tuple) -> None:
    spoil, names, sentence = fault
    out = shutil.copytree(passed.out, tmp_path / "out")  # keeps the files' times
    assert all(line.well for line in graded(passed, out))
    times = {file: file.stat().st_mtime_ns for file in files(out)}
    spoil(out)
    for file, moment in times.items():
        if file.exists():
            os.utime(file, ns=(moment, moment))
    bad = {line.name: line.sentence for line in graded(passed, out) if not line.well}
    assert set(names) <= set(bad), bad
    assert sentence in " ".join(bad.values())
    if spoil in EXACT:
        assert list(bad) == names


def test_without_a_baseline_it_says_what_to_run(passed, tmp_path: Path) -> None:
    answers = checker.Answers(passed.out, passed.wanted)
    (line,) = (
        line
        for line in checker.grade(answers, passed.trial, REFERENCE, tmp_path, llm.MODEL)
        if line.name == "speed"
    )
    assert not line.well and "run python vllm_examples/gsm8k/baseline.py first" in line.sentence


def test_the_baseline_of_another_model_is_no_yardstick(passed) -> None:
    with pytest.raises(checker.Wrong, match=r"baseline\.py --model Qwen/any again"):
        checker.tokens_per_second(passed.place / CHECKED / "baseline", "Qwen/any")


def test_a_folder_alone_is_graded_by_what_is_in_it(passed, tmp_path: Path) -> None:
    data = passed.place / CHECKED / "check" / "questions.jsonl"
    data.write_bytes(b"\n".join(checker.own_questions(400, 1042)[0]) + b"\n")
    run = run_script(CHECK, str(passed.out), "--data", str(data), cwd=tmp_path, timeout=60)
    assert run.exit_code == 0 and "65 of 65 points" in run.stdout, run.stdout + run.stderr
    assert "resume" not in run.stdout
