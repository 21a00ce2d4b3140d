from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from ray import serve
from ray.serve import Application

app = FastAPI()
STOP_WORDS = "a an and in is it of on or that the to".split()


class Text(BaseModel):
    id: int
    text: str


class Count(BaseModel):
    id: int
    words: int  # that are no stop words


def service() -> Application:
    @serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0.5})
    @serve.ingress(app)
    class WordCount:
        def __init__(self) -> None:
            self.stop = set(STOP_WORDS)

        @app.post("/count")
        async def count(self, given: Text) -> Count:
            words = given.text.lower().split()
            if not words:
                raise HTTPException(422, "text has no word in it")
            return Count(id=given.id, words=sum(word not in self.stop for word in words))

    return WordCount.bind()
