"""Questions about this repository's READMEs: find, rank, quote, all three in one process.

    python ray_serve/04_composition_baseline.py

The READMEs change, and with them the quotes: `answer` is a digest of the questions and of whether
each one's quotes stand in the section that is cited. `ready` is from the command on.
Last line: 60 requests in 4.65 s (12.9 requests/s), answer 52cfc2c2
"""

import functools
import time
from dataclasses import replace

import numpy as np
import psutil
import typer
import uvicorn
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from workshop import load, readmes, server_timing, web
from workshop.readmes import Passage

CANDIDATES, RANKED, QUOTES = 300, 3, 2  # passages found, passages kept, sentences quoted
app = web.guarded(FastAPI(title="Ask the READMEs"))


class Question(BaseModel):
    id: int
    question: str = Field(min_length=1, max_length=500)


class Answer(BaseModel):
    id: int
    quotes: list[Passage]


def largest(count: int, scores: np.ndarray) -> list[int]:
    """The places of the COUNT largest scores; of equal ones, the earlier."""
    return np.argsort(-scores.round(6), kind="stable")[:count].tolist()


class Retriever:
    """Words in common, rare ones above all: one product with all passages."""

    def __init__(self) -> None:
        self.passages = readmes.passages()
        self.words = TfidfVectorizer(sublinear_tf=True)
        self.index = self.words.fit_transform([each.whole for each in self.passages])

    def find(self, question: str) -> list[Passage]:
        scores = (self.index @ self.words.transform([question]).T).toarray()[:, 0]
        found = largest(CANDIDATES, scores)
        return [self.passages[place] for place in found if scores[place] > 0]


class Reranker:
    """What they are about (LSA over pieces of words): reads every candidate's text anew."""

    def __init__(self) -> None:
        pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
        self.topics = make_pipeline(pieces, TruncatedSVD(50, random_state=0), Normalizer())
        self.topics.fit([each.whole for each in readmes.passages()])

    def rank(self, question: str, found: list[Passage]) -> list[Passage]:
        asked, *others = self.topics.transform([question, *(each.whole for each in found)])
        return [found[place] for place in largest(RANKED, np.array(others) @ asked)]


class Generator:
    """Writes nothing of its own: quotes the sentences that are closest to the question."""

    def __init__(self) -> None:
        self.words = TfidfVectorizer(sublinear_tf=True)
        self.words.fit([each.text for each in readmes.passages()])

    def quote(self, question: str, ranked: list[Passage]) -> list[Passage]:
        sentences = [each for passage in ranked for each in passage.sentences()]
        texts = self.words.transform([question, *(each.text for each in sentences)])
        closest = largest(QUOTES, (texts[1:] @ texts[0].T).toarray()[:, 0])
        return [sentences[place] for place in closest]


@functools.cache
def stages() -> tuple[Retriever, Reranker, Generator]:
    return Retriever(), Reranker(), Generator()


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/ask")
async def ask(asked: Question, response: Response) -> Answer:
    retriever, reranker, generator = stages()
    watch = server_timing.Watch()
    found = retriever.find(asked.question)
    watch.lap("find")
    if not found:
        raise HTTPException(404, "no README has a word of this question")
    ranked = reranker.rank(asked.question, found)
    watch.lap("rank")
    quotes = generator.quote(asked.question, ranked)
    watch.lap("quote")
    response.headers.update(watch.header)
    return Answer(id=asked.id, quotes=quotes)


def serve_app(port: int) -> None:
    stages()
    uvicorn.run(app, host=web.HOST, port=port, log_level="warning")


def main(requests: int = 60, clients: int = 8, port: int = 8000, seed: int = 42) -> dict:
    """Asks REQUESTS questions from CLIENTS clients, each its next one after an answer."""
    if requests < 1 or clients < 1:
        raise typer.BadParameter("--requests and --clients start at 1")
    web.check_port(port)
    asked, url = readmes.requests(requests, seed), f"http://{web.HOST}:{port}/ask"

    with web.running(serve_app, port):
        ready = time.time() - psutil.Process().create_time()
        done = load.closed_loop(url, asked, clients, warm_up=8)
        alone = server_timing.medians(url, asked[:20])

    print(f"ready in {ready:.1f} s")
    print("one client:", ", ".join(f"{stage} {ms:.1f} ms" for stage, ms in alone.items()))
    right = sum(map(readmes.is_right, [each.body for each in done.answers], asked))
    print(f"{right} of {requests} quote the section that was meant; all answers {done.digest}")
    print(f"{len(done.failed)} failed; {done.latency}")
    paired = zip(asked, done.answers, strict=True)
    proofs = [replace(each, body=readmes.proof(body, each.body)) for body, each in paired]
    seconds, answer = done.seconds, load.Load(proofs).digest
    print(f"{requests} requests in {seconds:.2f} s ({done.rate:.1f} requests/s), answer {answer}")
    figures = dict(items=requests, unit="requests", seconds=seconds, ready_seconds=ready)
    figures |= dict(answer=answer, failed=len(done.failed), p50=done.percentile(50), right=right)
    return figures | dict(alone=alone, bodies=done.digest)


if __name__ == "__main__":
    typer.run(main)
