"""The same table of answers by each way, with each number of engines, and after a kill."""

import os
import runpy
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ray
from ray.util.state import list_actors

from support import KILL_9, SHARED, as_attendee, call_main, refusal, run_until
from workshop import llm
from workshop.lessons import ROOT

BASELINE, RAY = (ROOT / f"vllm_examples/02_batch_{kind}.py" for kind in ("baseline", "ray"))
SIZE = "--prompts=500"  # the default: what the baseline answers is known from its run
FOLDER = Path("out/vllm_examples/02_batch")
SCHEMA = dict(id="int64", question="string", answer="string", asked="double")


def table(folder: Path) -> list[dict]:
    return pq.read_table(folder).sort_by("id").to_pylist()


def engines() -> set[int]:
    """The processes that held Ray Data's vLLM engines on the shared Ray, dead ones too."""
    actors = list_actors(address=SHARED.env()["RAY_ADDRESS"], limit=1000)
    wanted = ("MapBatches(Engine)", "MapBatches(vLLMEngineStageUDF)")
    return {actor.pid for actor in actors if any(name in actor.class_name for name in wanted)}


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> tuple[Path, dict, int]:
    """Where a run was killed half-way, the finished files with their bytes, how many engines."""
    place, before = tmp_path_factory.mktemp("killed"), engines()

    def rows_are_known_to_be_written(_: int) -> bool:
        written = (place / FOLDER).glob("ray-unfinished/*/*.parquet")
        return any(".pending" not in path.name for path in written)

    flags = (SIZE, "--replicas=2")
    dead = run_until(rows_are_known_to_be_written, RAY, *flags, cwd=place, timeout=200)
    assert dead.exit_code == KILL_9, dead.error
    time.sleep(5)  # Ray ends what belongs to a dead driver; a write under way ends or never will
    done = [path.stem for path in (place / FOLDER).glob("ray-unfinished/*/*.parquet")]
    files = (place / FOLDER / "ray").glob("*.parquet")
    finished = [path for path in files if any(path.name.startswith(name) for name in done)]
    kept = {path: path.read_bytes() for path in finished}
    return place, kept, len(engines() - before)


@pytest.fixture(scope="module")
def again(killed) -> tuple[dict, list[dict]]:
    """What is left, by Ray's processor with one engine: figures, and all rows."""
    place = killed[0]
    figures = call_main(RAY, dict(processor=True), SHARED.env(), cwd=place).figures
    return figures, table(place / FOLDER / "ray")


def test_finished_rows_stay_and_the_others_are_made(killed, again) -> None:
    finished, (figures, rows) = killed[1], again
    assert finished and all(path.read_bytes() == was for path, was in finished.items())
    kept = sum(pq.read_metadata(path).num_rows for path in finished)
    assert 0 < kept < len(rows) == 500
    assert figures["items"] == 500 - kept, "what was finished is not generated again"
    assert [row["id"] for row in rows] == list(range(500)), "none twice, none lost"


def test_both_ways_and_two_engines_answer_what_vllm_alone_does(killed, again) -> None:
    assert killed[2] == 2
    assert again[0]["answer"] == as_attendee(BASELINE).run.answer == as_attendee(RAY).run.answer


@pytest.mark.thorough
def test_transformers_writes_the_same_500_answers() -> None:
    """As lesson 01 does, whose problems these are."""
    script = "vllm_examples/01_generate_baseline.py"
    figures = call_main(script, dict(prompts=500, batch=16), {}, timeout=300).figures
    assert figures["answer"] == as_attendee(BASELINE).run.answer


def test_answers_stand_beside_their_questions(again) -> None:
    problems, rows = llm.problems(500, seed=42), again[1]
    assert [row["question"] for row in rows] == [one.question for one in problems]
    assert llm.right([row["answer"] for row in rows], problems) >= 0.85 * 500


def test_schema(killed, again) -> None:
    for path in (killed[0] / FOLDER / "ray").glob("*.parquet"):
        schema = pq.read_schema(path)
        assert {field.name: str(field.type) for field in schema} == SCHEMA, path.name


def test_a_finished_table_is_made_anew(killed, again) -> None:
    assert not list((killed[0] / FOLDER).glob("ray-unfinished/*")), "nothing to go on with"


def test_another_job_does_not_go_on_with_what_one_left(tmp_path, monkeypatch) -> None:
    """It overwrites the table, so what is noted about its rows goes before Ray starts."""

    def stop(**given) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ray, "init", stop)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    start, flags = runpy.run_path(str(RAY))["main"], dict(prompts=5, output=str(tmp_path))
    unfinished = tmp_path / "ray-unfinished"
    (unfinished / "4711").mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt):
        start(**flags)
    assert not unfinished.exists()


@pytest.mark.thorough
def test_a_table_of_ones_own(tmp_path) -> None:
    """Names as ids, in no order; other columns stay behind."""
    asked = [one.question for one in llm.problems(3, seed=5)]
    own = tmp_path / "own.parquet"
    pq.write_table(pa.table(dict(more=[1, 2, 3], question=asked, id=["c", "a", "b"])), own)
    figures = call_main(BASELINE, dict(input=str(own), output=str(tmp_path)), {}).figures
    rows = table(tmp_path / "baseline")
    assert figures["items"] == 3 and list(rows[0]) == list(SCHEMA)
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert [row["question"] for row in rows] == [asked[1], asked[2], asked[0]]
    assert figures["answer"] == llm.digest([row["answer"] for row in rows])


BAD = {
    "has no column 'question'": dict(id=[1], text=["Why?"]),
    "'question' is int64, not text": dict(id=[1], question=[2]),
    "it has no rows": dict(id=[], question=pa.array([], pa.string())),
    "some row has no id or no question": dict(id=[1, 2], question=["Why?", None]),
    "some id is there twice": dict(id=[1, 1], question=["Why?", "How?"]),
}


@pytest.mark.parametrize("script", [BASELINE, RAY], ids=["vllm", "ray"])
def test_a_bad_input_is_told_in_one_sentence(script, tmp_path) -> None:
    path = tmp_path / "in.parquet"
    flags = ("--input", str(path), "--output", str(tmp_path / "out"))
    assert "there is no such file or folder" in refusal(script, *flags)
    path.write_text("id,question\n1,Why?\n")
    assert "this is not Parquet" in refusal(script, *flags)
    for sentence, columns in BAD.items():
        pq.write_table(pa.table(columns), path)
        assert sentence in refusal(script, *flags)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "--input" in refusal(script, "--input", str(empty))
    assert not (tmp_path / "out").exists(), "nothing was begun"


def test_flags_that_make_no_sense() -> None:
    for flag in ("--prompts", "--tokens", "--replicas"):
        assert "start at 1" in refusal(RAY, flag, "0")
    for flags in (("--replicas", "2"), ("--processor",)):
        assert "are Ray's: 02_batch_ray.py has them" in refusal(BASELINE, *flags)
    assert "no model" in refusal(RAY, "--model", "no/such-model")
