"""Exercise 9: sentences as they are made, and nothing that nobody will read.

The deployment behind the handle WORDS makes word after word, far more than anybody wants. Stream
COUNT sentences of them: each sentence as soon as its last word is there (a word that ends with a
full stop), its words joined by blanks. After the last sentence WORDS must stop.

    make check EX=ray_serve/09
"""

from collections.abc import AsyncIterator

from ray import serve
from ray.serve.handle import DeploymentHandle


@serve.deployment
class Sentences:
    def __init__(self, words: DeploymentHandle) -> None:
        self.words = words

    async def __call__(self, count: int) -> AsyncIterator[str]:
        raise NotImplementedError("self.words.options(stream=True).remote(), and its cancel()")
        yield
