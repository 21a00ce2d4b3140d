from collections.abc import AsyncIterator

from ray import serve
from ray.serve.handle import DeploymentHandle


@serve.deployment
class Sentences:
    def __init__(self, words: DeploymentHandle) -> None:
        self.words = words

    async def __call__(self, count: int) -> AsyncIterator[str]:
        sentence, words = [], self.words.options(stream=True).remote()
        async for word in words:
            sentence.append(word)
            if word.endswith("."):
                yield " ".join(sentence)
                sentence, count = [], count - 1
            if count == 0:
                break
        words.cancel()
