"""Checks the gateway on Serve's local mode: no Ray starts, all runs in this process."""

from types import SimpleNamespace

from ray import serve

TENANTS = {"key-a": "tenant-03", "key-b": "tenant-07"}


@serve.deployment
class Models:
    async def predict(self, picture: str) -> str:
        return f"{picture} by {serve.get_multiplexed_model_id() or 'no model id'}"


def check(attempt: SimpleNamespace) -> str:
    app = attempt.Gateway.bind(Models.bind(), TENANTS)
    handle = serve.run(app, _local_testing_mode=True)

    def label(key: str, picture: str) -> str:
        return handle.predict.remote(key, picture).result(timeout_s=30)

    for key, picture in (("key-a", "one"), ("key-b", "two"), ("key-a", "three")):
        got = label(key, picture)
        assert isinstance(got, str), f"a label was wanted, not {got!r}: is an await missing?"
        wanted = f"{picture} by {TENANTS[key]}"
        assert got == wanted, f"for {key!r} the models should say {wanted!r}, they said {got!r}"
    for unknown in ("key-c", "", "tenant-03"):
        try:
            got = label(unknown, "four")
        except PermissionError:
            continue
        raise AssertionError(f"the unknown key {unknown!r} got {got!r} instead of PermissionError")
    return "each key reaches its tenant's model, and an unknown key none"
