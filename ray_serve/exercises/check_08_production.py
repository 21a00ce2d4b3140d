import threading
import time
from collections.abc import Callable

PATIENCE = 5  # seconds: a busy machine may need some


class Shop:
    """Its fetch() works, fails or hangs, as told, and it knows who called it."""

    def __init__(self) -> None:
        self.calls, self.state, self.callers = 0, "works", set()
        self.awake = threading.Event()

    def fetch(self) -> dict[str, float]:
        self.calls += 1
        self.callers.add(threading.current_thread())
        if self.state == "closed":
            raise SystemExit  # ends the thread
        if self.state == "fails":
            raise ConnectionError("the shop does not answer")
        if self.state == "hangs":
            self.awake.wait(2 * PATIENCE)
        return {"apple": float(self.calls)}


def until(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def healthy(prices, shop: Shop) -> bool:
    shop.callers.discard(threading.current_thread())  # __init__ may fetch, and does
    try:
        said = prices.check_health()
    except NotImplementedError:
        raise
    except Exception as error:
        assert str(error), "check_health() raises without a word: say what is wrong"
        return False
    finally:
        assert threading.current_thread() not in shop.callers, (
            "check_health() calls fetch(), which may hang: look at the age of the last prices"
        )
    assert said is None, "Serve does not look at what check_health() returns: raise an exception"
    return True


def check(attempt) -> str:
    shop, excepthook = Shop(), threading.excepthook
    threading.excepthook = lambda _: None  # a thread that dies is judged below
    try:
        judge(attempt, shop)
    finally:
        shop.state = "closed"
        shop.awake.set()
        threading.excepthook = excepthook
    return "it is replaced when its prices are old, and only then"


def judge(attempt, shop: Shop) -> None:
    prices = attempt.Prices.func_or_class(shop.fetch)
    for fetched in (1, 4):
        until(lambda fetched=fetched: shop.calls >= fetched)
        assert until(lambda: healthy(prices, shop)), (
            f"check_health() raises though the prices are new, after {fetched} fetch()"
        )
    for state in ("fails", "hangs"):
        shop.awake.clear()
        shop.state = state
        assert until(lambda: not healthy(prices, shop)), (
            f"fetch() {state} for longer than LIMIT, but check_health() does not mind"
        )
        shop.state = "works"
        shop.awake.set()
        assert until(lambda: healthy(prices, shop)), (
            f"fetch() {state} no more, but new prices do not come: does the thread live?"
        )
