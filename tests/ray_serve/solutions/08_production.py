import threading
import time
from collections.abc import Callable

from ray import serve

PERIOD, LIMIT = 0.05, 0.5


@serve.deployment
class Prices:
    def __init__(self, fetch: Callable[[], dict[str, float]]) -> None:
        self.fetch, self.prices, self.fetched = fetch, fetch(), time.monotonic()
        threading.Thread(target=self.refresh, daemon=True).start()

    def refresh(self) -> None:
        while True:
            time.sleep(PERIOD)
            try:
                self.prices = self.fetch()
            except Exception as error:
                print(f"no new prices: {error}")
            else:
                self.fetched = time.monotonic()

    def __call__(self, name: str) -> float:
        return self.prices[name]

    def check_health(self) -> None:
        age = time.monotonic() - self.fetched
        if age > LIMIT:
            raise RuntimeError(f"the prices are {age:.1f} s old")
