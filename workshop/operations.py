"""What the people who run a service want to know of it, asked over HTTP as they would ask."""

import hashlib
import http.client
import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import requests
from prometheus_client.parser import text_string_to_metric_families

HEADER, TOO_LARGE, PATIENCE = "X-API-Key", 2_000_000, 30  # bytes, seconds


def fingerprint(key: str) -> str:
    """What a service needs of a key to recognise it; of a random key it gives nothing away."""
    return hashlib.sha256(key.encode()).hexdigest()


def refusals(url: str, body: dict, key: str) -> dict[str, int]:
    """The status for each request that must be turned away."""
    kind = {"Content-Type": "application/json"}
    wrong = {"no key": {}, "a wrong key": {HEADER: f"not {key}"}}
    found = {
        what: requests.post(url, json=body, headers=headers, timeout=PATIENCE).status_code
        for what, headers in wrong.items()
    }
    large = requests.post(url, b" " * TOO_LARGE, headers=kind | {HEADER: key}, timeout=PATIENCE)
    return found | {f"{TOO_LARGE // 1_000_000} MB": large.status_code}


def scraped(url: str, name: str, least: int, headers: dict | None = None, **labels: str) -> int:
    """The sum of a counter's samples that have those LABELS, on a page for Prometheus.

    Metrics come late: it asks until they add up to LEAST, or patience runs out.
    """
    deadline, found = time.monotonic() + PATIENCE, -1
    while found < least and time.monotonic() < deadline:
        time.sleep(0.1)
        page = requests.get(url, headers=headers, timeout=PATIENCE).text
        families = text_string_to_metric_families(page)
        samples = [each for family in families for each in family.samples]
        here = [each for each in samples if labels.items() <= each.labels.items()]
        found = int(sum(each.value for each in here if each.name == f"{name}_total"))
    return found


def unfinished(url: str, body: dict, key: str) -> Callable[[], int]:
    """Sends a request but for its last byte; the function sends that, and returns the status.

    The service has begun on it: it said "100 Continue".
    """
    where, text = urlsplit(url), json.dumps(body).encode()
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=PATIENCE)
    connection.putrequest("POST", where.path)
    sent = {HEADER: key, "Content-Type": "application/json", "Content-Length": str(len(text))}
    for name, value in (sent | {"Expect": "100-continue"}).items():
        connection.putheader(name, value)
    connection.endheaders(text[:-1])
    connection.sock.recv(len(b"HTTP/1.1 100 Continue\r\n\r\n"))

    def finish() -> int:
        connection.send(text[-1:])
        return connection.getresponse().status

    return finish


def wait_until_refused(url: str) -> None:
    """Returns once new requests are turned away, or get no connection at all."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=PATIENCE).status_code != 200:
                return
        except requests.ConnectionError:
            return
        time.sleep(0.05)
    raise RuntimeError(f"{url} still answers")
