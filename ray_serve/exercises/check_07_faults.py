import asyncio

ATTEMPTS, ROUNDS, TEMPORARY = 6, 100, (0, 429, 500, 502, 503, 504)


def asked(attempt, statuses: list[int], **headers: str) -> tuple[object, list[str], list[float]]:
    """What ask() returned, the key of each of its attempts, and its waits between them."""
    keys, waits, left = [], [], list(statuses)

    async def post(body: dict, sent: dict[str, str]) -> object:
        assert body == dict(id=1), "an attempt sends another body"
        assert len(keys) < 20, "it never stops asking: six attempts in all"
        keys.append((sent or {}).get("Idempotency-Key", ""))
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return attempt.Reply(left.pop(0) if len(left) > 1 else left[0], given)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    return asyncio.run(attempt.ask(post, sleep, dict(id=1))), keys, waits


def check(attempt) -> str:
    for status in (200, 404, 422):
        reply, keys, waits = asked(attempt, [status])
        assert getattr(reply, "status", None) == status, f"a {status} is not returned as it came"
        assert len(keys) == 1 and not waits, f"a {status} is the answer, but it asks again"
    for status in TEMPORARY:
        reply, keys, waits = asked(attempt, [status, status, 200])
        assert len(keys) > 1, f"after a {status} it does not ask again"
        assert getattr(reply, "status", None) == 200, f"after two {status} it misses the 200"
        assert len(waits) == 2, "two retries, but not two waits: it asks again at once"
    reply, keys, waits = asked(attempt, [503])
    assert len(keys) == ATTEMPTS, f"of a service that stays away it asks {len(keys)} times, not 6"
    assert getattr(reply, "status", None) == 503, "having given up, it does not return the last 503"
    assert len(waits) < ATTEMPTS, "after the last attempt it waits once more, for nothing"
    assert all(keys), "an attempt goes without the header Idempotency-Key"
    assert len(set(keys)) == 1, "each attempt has a key of its own: the service would do it again"
    others = {asked(attempt, [200])[1][0] for _ in range(20)}
    assert len(others) == 20, "two requests have the same key: the second would never be done"
    check_waits([asked(attempt, [503])[2] for _ in range(ROUNDS)])
    _, _, waits = asked(attempt, [429, 200], Retry_After="3")
    assert waits[0] >= 3, f"the service said Retry-After: 3, and it comes back after {waits[0]} s"
    return "it asks again when that may help, ever later, not in step, and under one key"


def check_waits(rounds: list[list[float]]) -> None:
    for number, waits in enumerate(zip(*(each[: ATTEMPTS - 1] for each in rounds), strict=True)):
        longest = 0.1 * 2**number
        where = f"before retry {number + 1}"
        assert len(set(waits)) > ROUNDS / 2, f"{where} every client waits equally long: no jitter"
        assert max(waits) <= longest + 1e-9, f"{where} it waits longer than {longest:.1f} s"
        assert max(waits) > 0.7 * longest, f"{where} it never waits nearly {longest:.1f} s"
