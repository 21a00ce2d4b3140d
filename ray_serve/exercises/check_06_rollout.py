import contextlib
import logging
import time

from ray import serve
from ray.serve.handle import DeploymentHandle

USERS = [f"user-{number}" for number in range(600)]


def wait_for_reconfigure(handle: DeploymentHandle) -> None:
    """Serve's local mode calls it beside the first requests (2.60), Serve itself before them."""
    for _ in range(50):
        with contextlib.suppress(AttributeError):
            handle.remote(USERS[0]).result()
            return
        time.sleep(0.02)


def on_canary(split: serve.Deployment, percent: int) -> set[str]:
    """The users that get the canary at this weight."""
    handle = serve.run(
        split.options(user_config=dict(canary=percent)).bind(), _local_testing_mode=True
    )
    wait_for_reconfigure(handle)
    said = {user: handle.remote(user).result() for user in USERS}
    odd = set(said.values()) - {"canary", "stable"}
    assert not odd, f"Split answers {odd.pop()!r}, neither 'canary' nor 'stable'"
    for user in USERS[:100]:
        assert handle.remote(user).result() == said[user], (
            f"at {percent}%, {user} gets the canary in one request and not in another: do not draw"
        )
    return {user for user in USERS if said[user] == "canary"}


def check(attempt) -> str:
    logging.getLogger("ray.serve").setLevel(logging.CRITICAL)
    split = attempt.Split
    code = [vars(split.func_or_class)[name].__code__ for name in ("reconfigure", "__call__")]
    assert not any("hash" in each.co_names for each in code), (
        "hash() of a string differs from process to process, so two replicas disagree: zlib.crc32"
    )
    few, none, half, everyone = (on_canary(split, percent) for percent in (10, 0, 50, 100))
    assert not none, "at 0% somebody still gets the canary: that is no rollback"
    assert len(everyone) == len(USERS), "at 100% somebody still gets the stable version"
    for found, percent in ((few, 10), (half, 50)):
        share = 100 * len(found) / len(USERS)
        assert abs(share - percent) < 5, f"at {percent}% of the users, {share:.0f}% get the canary"
    assert few <= half, (
        f"{len(few - half)} users have the canary at 10% and lose it at 50%: they see both versions"
    )
    return "each user has one version, and more users get the canary as its weight grows"
