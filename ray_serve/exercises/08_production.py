"""Exercise 8: a replica that knows when it is sick.

The answers of Prices come from a thread that gets new prices every PERIOD seconds. When the thread
dies, or fetch() hangs, the replica goes on answering, with old prices.

1. Write check_health(), which Serve calls again and again: a replica whose last prices are more
   than LIMIT seconds old is to be replaced. It must not wait for anything, nor fetch() itself.
2. A fetch() that fails now and then is no illness: the thread must survive it.

    make check EX=ray_serve/08
"""

import threading
import time
from collections.abc import Callable

from ray import serve

PERIOD, LIMIT = 0.05, 0.5  # seconds


@serve.deployment
class Prices:
    def __init__(self, fetch: Callable[[], dict[str, float]]) -> None:
        self.fetch, self.prices, self.fetched = fetch, fetch(), time.monotonic()
        threading.Thread(target=self.refresh, daemon=True).start()

    def refresh(self) -> None:
        while True:
            time.sleep(PERIOD)
            self.prices = self.fetch()
            self.fetched = time.monotonic()

    def __call__(self, name: str) -> float:
        return self.prices[name]

    def check_health(self) -> None:
        raise NotImplementedError("and survive a failed fetch() in refresh()")
