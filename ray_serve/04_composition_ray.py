"""Questions about this repository's READMEs: find, rank, quote, each a deployment of its own.

    python ray_serve/04_composition_ray.py

The READMEs change, and with them the quotes: `answer` is a digest of the questions and of whether
each one's quotes stand in the section that is cited. `ready` is from the command on.
Last line: 60 requests in 3.81 s (15.8 requests/s), answer 52cfc2c2
"""

import time
from dataclasses import replace

import numpy as np
import psutil
import typer
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

import ray  # NEW:
from ray import serve  # NEW:
from ray.serve.handle import DeploymentHandle  # NEW:

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


@serve.deployment(ray_actor_options={"num_cpus": 0.2})  # NEW:
class Retriever:
    """Words in common, rare ones above all: one product with all passages."""

    def __init__(self) -> None:
        self.passages = readmes.passages()
        self.words = TfidfVectorizer(sublinear_tf=True)
        self.index = self.words.fit_transform([each.whole for each in self.passages])

    async def find(self, question: str) -> list[Passage]:  # NEW:
        scores = (self.index @ self.words.transform([question]).T).toarray()[:, 0]
        found = largest(CANDIDATES, scores)
        return [self.passages[place] for place in found if scores[place] > 0]


@serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0.5})  # NEW:
class Reranker:
    """What they are about (LSA over pieces of words): reads every candidate's text anew."""

    def __init__(self) -> None:
        pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
        self.topics = make_pipeline(pieces, TruncatedSVD(50, random_state=0), Normalizer())
        self.topics.fit([each.whole for each in readmes.passages()])

    async def rank(self, question: str, found: list[Passage]) -> list[Passage]:  # NEW:
        asked, *others = self.topics.transform([question, *(each.whole for each in found)])
        return [found[place] for place in largest(RANKED, np.array(others) @ asked)]


@serve.deployment(ray_actor_options={"num_cpus": 0.2})  # NEW:
class Generator:
    """Writes nothing of its own: quotes the sentences that are closest to the question."""

    def __init__(self) -> None:
        self.words = TfidfVectorizer(sublinear_tf=True)
        self.words.fit([each.text for each in readmes.passages()])

    async def quote(self, question: str, ranked: list[Passage]) -> list[Passage]:  # NEW:
        sentences = [each for passage in ranked for each in passage.sentences()]
        texts = self.words.transform([question, *(each.text for each in sentences)])
        closest = largest(QUOTES, (texts[1:] @ texts[0].T).toarray()[:, 0])
        return [sentences[place] for place in closest]


@serve.deployment(ray_actor_options={"num_cpus": 0.2})  # NEW:
@serve.ingress(app)  # NEW:
class Pipeline:  # NEW:
    def __init__(self, *stages: DeploymentHandle) -> None:  # NEW:
        self.retriever, self.reranker, self.generator = stages  # NEW:

    @app.get("/healthz")
    async def healthz(self) -> dict[str, str]:  # NEW:
        return {"status": "ok"}

    @app.post("/ask")
    async def ask(self, asked: Question, response: Response) -> Answer:  # NEW:
        watch = server_timing.Watch()
        found = await self.retriever.find.remote(asked.question)  # NEW:
        watch.lap("find")
        if not found:
            raise HTTPException(404, "no README has a word of this question")
        ranked = await self.reranker.rank.remote(asked.question, found)  # NEW:
        watch.lap("rank")
        quotes = await self.generator.quote.remote(asked.question, ranked)  # NEW:
        watch.lap("quote")
        response.headers.update(watch.header)
        return Answer(id=asked.id, quotes=quotes)


def main(requests: int = 60, clients: int = 8, port: int = 8000, seed: int = 42) -> dict:
    """Asks REQUESTS questions from CLIENTS clients, each its next one after an answer."""
    if requests < 1 or clients < 1:
        raise typer.BadParameter("--requests and --clients start at 1")
    web.check_port(port)
    asked, url = readmes.requests(requests, seed), f"http://{web.HOST}:{port}/ask"

    ray.init(log_to_driver=False)  # NEW:
    quiet = dict(enable_access_log=False, log_level="WARNING")  # NEW:
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=quiet)  # NEW:
    try:  # NEW:
        stages = Retriever.bind(), Reranker.bind(), Generator.bind()  # NEW:
        serve.run(Pipeline.bind(*stages), logging_config=quiet)  # NEW:
        ready = time.time() - psutil.Process().create_time()
        done = load.closed_loop(url, asked, clients, warm_up=8)
        alone = server_timing.medians(url, asked[:20])
    finally:  # NEW:
        serve.shutdown()  # NEW:

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
