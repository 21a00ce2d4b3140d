"""Checks the hybrid search on Serve's local mode: no Ray starts, all runs in this process."""

import asyncio
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from ray import serve

TOGETHER = 3  # seconds that one retriever waits until the other one is asked, too
LISTS = {
    "kill": (["retry", "worker", "actor"], ["worker", "store", "retry"]),
    "store": (["spill", "put"], ["get"]),
}
BEST = {"kill": ["worker", "retry", "store", "actor"], "store": ["spill", "get", "put"]}


class Retriever:
    """Its copy in the deployment shares only the file LOG with the checker."""

    def __init__(self, which: int, log: Path) -> None:
        self.which, self.log = which, log

    def note(self, text: str) -> None:
        with self.log.open("a") as lines:
            print(text, file=lines)

    async def find(self, question: str) -> list[str]:
        self.note(f"retriever {self.which}")
        deadline = time.monotonic() + TOGETHER
        while len(self.log.read_text().splitlines()) < 2:
            if time.monotonic() > deadline:
                self.note("waited in vain")
            await asyncio.sleep(0.01)
        return LISTS.get(question, ([], []))[self.which]


def check(attempt: SimpleNamespace) -> str:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "asked")
        named = (serve.deployment(Retriever, name=f"Retriever{which}") for which in (0, 1))
        stages = [each.bind(which, log) for which, each in enumerate(named)]
        handle = serve.run(attempt.Hybrid.bind(*stages), _local_testing_mode=True)

        def found(question: str, count: int) -> list[str]:
            log.write_text("")
            passages = handle.find.remote(question, count).result(timeout_s=30)
            asked = log.read_text().splitlines()
            assert isinstance(passages, list), f"find returned no list but {passages!r}"
            assert "waited in vain" not in asked, (
                "one retriever is asked when the other has answered: make both calls, then await"
            )
            assert sorted(asked) == ["retriever 0", "retriever 1"], (
                f"each retriever is to be asked once, asked were: {asked}"
            )
            return passages

        for question, best in BEST.items():
            for count in (len(best), 2):
                got = found(question, count)
                assert len(got) == count, f"{count} passages were wanted, {len(got)} came: {got}"
                assert got == best[:count], (
                    f"of {LISTS[question]} the best {count} are {best[:count]}, not {got}"
                )
        assert found("nothing", 3) == [], "where neither finds anything, the list is empty"
    return "both retrievers worked at the same time, and their lists were merged by rank"
