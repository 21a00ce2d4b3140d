"""Bad input that every HTTP app of ray_serve must turn away, in words, and then go on serving."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

LARGE = 10_000_000  # bytes
Request = tuple[str, str, bytes | Iterator[bytes], dict[str, str], int]


def requests(path: str, good: dict, headers: dict, key: str | None) -> dict[str, Request]:
    """What is wrong with each: method, path, body, headers, and the status that it must get."""
    whole, plain = json.dumps(good).encode(), headers | {"Content-Type": "application/json"}
    found = {
        "malformed JSON": ("POST", path, whole[:-1], plain, 422),
        "no JSON at all": ("POST", path, b"\xff\x00", plain, 422),
        "no body": ("POST", path, b"", plain, 422),
        "a list, not an object": ("POST", path, b"[]", plain, 422),
        "null": ("POST", path, b"null", plain, 422),
        "10 MB": ("POST", path, b" " * LARGE, plain, 413),
        "10 MB in chunks": ("POST", path, (b" " * 100_000 for _ in range(100)), plain, 413),
        "wrong content type": ("POST", path, whole, plain | {"Content-Type": "text/plain"}, 415),
        "unknown route": ("POST", path + "-no-such-route", whole, plain, 404),
        "wrong method": ("DELETE", path, b"", headers, 405),
    }
    for field, value in good.items():
        less = {name: kept for name, kept in good.items() if name != field}
        found[f"{field} missing"] = "POST", path, json.dumps(less).encode(), plain, 422
        for wrong in ({}, None, float("nan"), float("inf")):
            body = json.dumps(good | {field: wrong}).encode()
            found[f"{field} is {wrong}"] = "POST", path, body, plain, 422
        wrong = "text" if isinstance(value, int | float) else 5
        body = json.dumps(good | {field: wrong}).encode()
        found[f"{field} of the wrong type"] = "POST", path, body, plain, 422
    if key:
        without = {name: value for name, value in plain.items() if name != key}
        found["no API key"] = "POST", path, whole, without, 401
        found["an invalid API key"] = "POST", path, whole, without | {key: "guessed"}, 403
        found["an empty API key"] = "POST", path, whole, without | {key: ""}, 401
    return found


def answer(base: str, request: Request) -> tuple[int, str]:
    """Status and body. A server may answer, and hang up, before it has read all of a large body."""
    method, path, body, headers, _ = request
    where = urlsplit(base)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
    try:
        try:
            connection.request(method, where.path + path, body or None, headers)
        except (BrokenPipeError, ConnectionResetError):
            response = http.client.HTTPResponse(connection.sock, method=method)
            response.begin()
        else:
            response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def wrongly_answered(
    base: str, path: str, good: dict, headers: dict | None = None, key: str | None = None
) -> list[str]:
    """A line for each bad request that is not refused as it should be; none if all is well.

    GOOD is a body that PATH takes, with its required fields only. KEY names the header, among
    HEADERS, that holds the API key. After each bad request a good one must be answered with 200.
    """
    wrong, headers = [], headers or {}
    plain = headers | {"Content-Type": "application/json"}
    next_one = "POST", path, json.dumps(good).encode(), plain, 200
    for what, request in requests(path, good, headers, key).items():
        try:
            status, text = answer(base, request)
        except (OSError, http.client.HTTPException) as error:
            wrong.append(f"{what}: no answer, {type(error).__name__}: {error}")
            continue
        if status != request[-1]:
            wrong.append(f"{what}: {status}, not {request[-1]}: {text[:200]}")
        try:
            detail = json.loads(text, parse_constant=lambda name: 1 / 0)["detail"]
            assert detail and len(text) < 2000, "it does not say what is wrong"
        except Exception as error:
            wrong.append(f"{what}: {text[:200]!r} is no JSON with a detail ({error})")
        status, text = answer(base, next_one)
        if status != 200:
            wrong.append(f"after {what}, a good request gets {status}: {text[:200]}")
    return wrong
