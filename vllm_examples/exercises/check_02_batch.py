import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray.data import DataContext

COUNT, ROWS, LAST = 100, 10, 99


def engine_class(log: Path, crash: Path) -> type:
    """A stand-in for an engine: notes what it is asked, and fails at the last row, once."""

    class Engine:
        def __call__(self, batch: dict) -> dict:
            time.sleep(0.3)
            ids = batch["id"].tolist()
            with log.open("a") as file:
                file.write(json.dumps([os.getpid(), ids]) + "\n")
            if LAST in ids and crash.exists():
                time.sleep(2)  # time for the rows before it to be written
                raise RuntimeError("the engine crashed")
            return batch | dict(answer=np.array([f"answer {k}" for k in ids], object))

    return Engine


def check(attempt) -> str:
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        source, target, notes = (str(place / name) for name in ("in.parquet", "target", "notes"))
        asked = [f"question {k}" for k in range(COUNT)]
        pq.write_table(pa.table(dict(id=range(COUNT), question=asked)), source)
        (place / "crash").touch()
        engine = engine_class(place / "log", place / "crash")

        into_the_crash(attempt, source, engine, target, notes)
        before = written(target)
        assert before, (
            "nothing was written before the engine crashed: is the table one block, which only"
            " goes on when all of it is answered? repartition(target_num_rows_per_block=ROWS)"
        )
        first = batches(place / "log")
        assert max(len(ids) for _, ids in first) <= ROWS, "an engine gets more than ROWS at a time"
        (place / "crash").unlink()
        attempt.answer_all(source, engine, target, notes)
        again = [k for _, ids in batches(place / "log")[len(first) :] for k in ids]
        check_rows(before, written(target), again)
        assert len({pid for pid, _ in first}) == 2, (
            "one engine did all the work before the crash: ActorPoolStrategy(size=2)"
        )
    return f"{len(before)} rows were written before the crash, and none of them was asked again"


def into_the_crash(attempt, *given) -> None:
    DataContext.get_current().enable_progress_bars = False
    try:
        attempt.answer_all(*given)
    except Exception as error:
        if "the engine crashed" not in str(error):
            raise
        return
    raise AssertionError("the last row was never asked, or its engine's error was swallowed")


def batches(log: Path) -> list[list]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def written(target: str) -> list[dict]:
    return pq.read_table(target).to_pylist() if list(Path(target).rglob("*.parquet")) else []


def check_rows(before: list[dict], after: list[dict], again: list[int]) -> None:
    ids, kept = sorted(row["id"] for row in after), {row["id"] for row in before}
    assert kept <= set(ids), "rows that were written before the crash are gone: mode='append'"
    assert len(set(again) & kept) == 0, (
        f"{len(set(again) & kept)} rows that were written are asked again: checkpoint_config"
    )
    assert len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} rows are in the table twice"
    assert ids == list(range(COUNT)), f"{COUNT - len(ids)} rows are lost"
    wrong = [row for row in after if row.get("answer") != f"answer {row['id']}"]
    assert not wrong, f"row {wrong[0]['id']} has the answer {wrong[0].get('answer')!r}"
