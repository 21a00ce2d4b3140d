"""Checks the gateway without Ray: a stand-in for the handle says with which model id it was called.

Serve's local mode does not pass the model id on (2.60), so it cannot tell right from wrong here.
"""

import asyncio
from types import SimpleNamespace

TENANTS = {"key-a": "tenant-03", "key-b": "tenant-07"}


class Handle:
    """What DeploymentHandle offers: options(..), and predict, a handle too, or remote(..)."""

    def __init__(self, model_id: str = "no model id", method: str = "") -> None:
        self.model_id, self.method = model_id, method

    @property
    def predict(self) -> "Handle":
        return self.options(method_name="predict")

    def options(self, *, multiplexed_model_id: str = "", method_name: str = "") -> "Handle":
        return Handle(multiplexed_model_id or self.model_id, method_name or self.method)

    async def remote(self, picture: str) -> str:
        assert self.method == "predict", "models.remote(..) calls __call__: models.predict.remote"
        return f"{picture} by {self.model_id}"


def check(attempt: SimpleNamespace) -> str:
    gateway = attempt.Gateway.func_or_class(Handle(), TENANTS)

    def label(key: str, picture: str) -> str:
        return asyncio.run(gateway.predict(key, picture))

    for key, picture in (("key-a", "one"), ("key-b", "two"), ("key-a", "three")):
        got = label(key, picture)
        if asyncio.iscoroutine(got):
            got.close()
            raise AssertionError("predict returns the call itself, not its result: await it")
        wanted = f"{picture} by {TENANTS[key]}"
        assert got == wanted, f"for {key!r} the models should say {wanted!r}, they said {got!r}"
    for unknown in ("key-c", "", "tenant-03"):
        try:
            got = label(unknown, "four")
        except PermissionError:
            continue
        raise AssertionError(f"the unknown key {unknown!r} got {got!r} instead of PermissionError")
    return "each key reaches its tenant's model, and an unknown key none"
