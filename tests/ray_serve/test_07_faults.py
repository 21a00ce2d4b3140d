"""kill -9 costs the requests in flight, and a client that asks again gets every answer."""

import asyncio
import runpy
import sqlite3
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from support import as_attendee, flags_of, refusal
from workshop import load
from workshop.lessons import ROOT

BASELINE, RAY = (ROOT / f"ray_serve/07_faults_{kind}.py" for kind in ("baseline", "ray"))
both = pytest.mark.parametrize("script", [BASELINE, RAY], ids=lambda path: path.stem)


@both
def test_who_asks_again_gets_every_answer(script) -> None:
    assert as_attendee(script).figures["gave_up"] == 0


@both
def test_the_kill_was_felt(script) -> None:
    """Requests were in flight: one that was sent once failed, or one was executed again."""
    figures = as_attendee(script).figures
    assert figures["failed"] + figures["twice"] > 0


def test_on_serve_only_requests_in_flight_fail() -> None:
    """By hand also those that come while there is no process."""
    assert as_attendee(RAY).figures["failed"] <= int(flags_of(RAY)["clients"])


@both
def test_a_request_is_booked_once_or_is_lost(script) -> None:
    figures = as_attendee(script).figures
    assert figures["failed"] == figures["lost"] + figures["booked"]
    assert figures["charges"] == figures["items"] - figures["lost"]


@both
def test_the_same_id_again_is_the_same_charge(script) -> None:
    names = runpy.run_path(str(script))
    with sqlite3.connect(":memory:") as ledger:
        ledger.execute(names["LEDGER"])
        for number in (7, 8, 7):
            ledger.execute(names["BOOK"], (number, 3))
        assert ledger.execute("SELECT id, label, times FROM charges").fetchall() == [
            (7, 3, 2),
            (8, 3, 1),
        ]


def asked(script, monkeypatch, statuses: list[int]) -> tuple[int, list[float]]:
    """The status that patient() ends with, and how long it slept after each attempt."""
    slept: list[float] = []

    async def post(session, url, body) -> load.Answer:
        return load.Answer(statuses.pop(0), {}, 0.0, 0.0)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    patient = runpy.run_path(str(script))["patient"]
    monkeypatch.setattr(load, "post", post)
    # Not asyncio's own sleep, which Ray and Serve use in other threads of this process.
    monkeypatch.setitem(patient.__globals__, "asyncio", SimpleNamespace(sleep=sleep))
    return asyncio.run(patient(None, "", {})).status, slept


@both
def test_the_policy(script, monkeypatch) -> None:
    names = runpy.run_path(str(script))
    waits, temporary = names["WAITS"], names["TEMPORARY"]
    for status in (200, 404, 413, 422):
        assert asked(script, monkeypatch, [status]) == (status, []), "another try is no use"
    for status in temporary:
        assert asked(script, monkeypatch, [status, 200])[0] == 200
    status, slept = asked(script, monkeypatch, [500] * len(waits))
    assert status == 500 and len(slept) == len(waits), "it gives up at last"
    assert all(0 <= wait <= longest for wait, longest in zip(slept, waits, strict=True))
    assert len(set(slept)) > len(slept) / 2, "without jitter all clients come back at once"
    assert list(waits) == sorted(waits) and waits[3] >= 8 * waits[0], "the waits grow"


def test_what_is_no_picture_gets_a_sentence() -> None:
    app = runpy.run_path(str(BASELINE))["app"]
    reply = TestClient(app).post("/predict", json=dict(id=1, png="AAAA"))
    assert reply.status_code == 422 and "PNG" in reply.text


@both
def test_bad_flags(script) -> None:
    assert "start at 1" in refusal(script, "--kills", "0")
    assert "twice the kills" in refusal(script, "--kills", "8", "--requests", "10")
