from collections.abc import Callable

from ray import serve


@serve.deployment(max_ongoing_requests=16)
class Roots:
    def __init__(self, model: Callable[[list[float]], list[float]]) -> None:
        self.model = model

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.1)
    async def roots(self, numbers: list[float]) -> list[float]:
        return self.model(numbers)

    async def __call__(self, number: float) -> float:
        if number < 0:
            raise ValueError("a number below 0 has no root")
        return await self.roots(number)
