import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from ray import serve

ALL, PAUSE = 400, 0.01  # words, and the seconds that each takes
TEXT = "Rain falls. The river rises slowly. We wait.".split()
SENTENCES = ["Rain falls.", "The river rises slowly.", "We wait."]


@serve.deployment
class Words:
    def __init__(self, made: Path) -> None:
        self.made = made

    async def __call__(self) -> AsyncIterator[str]:
        for number in range(ALL):
            with self.made.open("a") as file:
                print(number, file=file)
            yield TEXT[number % len(TEXT)]
            await asyncio.sleep(PAUSE)  # stands for the work of a model


def check(attempt) -> str:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made")
        made.touch()

        def words() -> int:
            return len(made.read_text().splitlines())

        app = attempt.Sentences.bind(Words.bind(made))
        handle = serve.run(app, _local_testing_mode=True).options(stream=True)
        for count in (1, 3):
            made.write_text("")
            got, when = [], []
            for sentence in handle.remote(count):
                got.append(sentence)
                when.append(words())
            check_sentences(got, when, count)
            time.sleep(20 * PAUSE)
            before = words()
            time.sleep(20 * PAUSE)
            assert words() == before < ALL, (
                f"after the last sentence the words go on ({words()} by now): cancel() them"
            )
    return "each sentence comes when it is whole, and no word is made for nobody"


def check_sentences(got: list, when: list[int], count: int) -> None:
    wanted = SENTENCES[:count]
    assert all(isinstance(each, str) for each in got), f"a piece is no text: {got[0]!r}"
    assert got[:1] == wanted[:1], f"the first sentence is {(got or [None])[0]!r}, not {wanted[0]!r}"
    assert when[0] < ALL / 2, (
        f"the first sentence comes when {when[0]} words are made: yield it when it is whole"
    )
    assert len(got) == count, f"{count} sentences were asked for, {len(got)} came"
    assert got == wanted, f"the sentences are {got}, not {wanted}"
