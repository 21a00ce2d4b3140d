"""Reference solution: both calls are under way before either is waited for."""

import asyncio

from ray import serve
from ray.serve.handle import DeploymentHandle


@serve.deployment
class Hybrid:
    def __init__(self, words: DeploymentHandle, topics: DeploymentHandle) -> None:
        self.words, self.topics = words, topics

    async def find(self, question: str, count: int) -> list[str]:
        asked = self.words.find.remote(question), self.topics.find.remote(question)
        points: dict[str, float] = {}
        for found in await asyncio.gather(*asked):
            for place, passage in enumerate(found, 1):
                points[passage] = points.get(passage, 0) + 1 / (60 + place)
        return sorted(points, key=points.get, reverse=True)[:count]
