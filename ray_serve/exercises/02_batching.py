"""Exercise 2: one batch, one bad request in it.

MODEL takes a list of at most 8 numbers and gives as many roots; a call takes as long for one as for
eight. One number below 0 in the list, and it raises ValueError for all of them. Serve it: requests
that come together go to MODEL together, up to 8 of them; a request that is alone waits 0.1 s for
others, not longer; who sends a number below 0 gets a ValueError, and nobody else does.

    make check EX=ray_serve/02
"""

from collections.abc import Callable

from ray import serve


@serve.deployment
class Roots:
    def __init__(self, model: Callable[[list[float]], list[float]]) -> None:
        self.model = model

    async def __call__(self, number: float) -> float:
        raise NotImplementedError("@serve.batch(..) on a method that takes a list")
