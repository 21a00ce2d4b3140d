"""Two retrievers instead of one: what has words in common, and what is about the same.

`Hybrid` asks both at the same time and merges their lists by reciprocal rank: place p of a list,
counted from 1, is worth 1 / (60 + p) points; a passage's points from both lists add up.

    make check EX=ray_serve/04
"""

from ray import serve
from ray.serve.handle import DeploymentHandle


@serve.deployment
class Hybrid:
    def __init__(self, words: DeploymentHandle, topics: DeploymentHandle) -> None:
        """Handles of two deployments, each with a method find(question) -> passages, best first."""
        self.words, self.topics = words, topics

    async def find(self, question: str, count: int) -> list[str]:
        """The COUNT passages with the most points; of equal ones, the one that words found first.

        Both deployments work on the question at the same time.
        """
        raise NotImplementedError
