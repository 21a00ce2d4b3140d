"""The same service on uvicorn and on Serve: its page, its answers, and what it turns away."""

import runpy
import socket
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from bad_input import wrongly_answered
from fuzzing import fuzzed
from support import as_attendee, held
from workshop import digits
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_serve/01_http_{twin}.py" for twin in ("baseline", "ray"))


@pytest.mark.measures
def test_serve_costs_more_than_the_handler_itself() -> None:
    """The README says milliseconds for its own proxy, whatever the machine."""
    bare, ray = (as_attendee(twin).figures for twin in (BASELINE, RAY))
    assert bare["failed"] == ray["failed"] == 0
    assert ray["trivial_p50"] > 2 * bare["trivial_p50"]
    assert ray["p50"] > bare["p50"]


@pytest.fixture(scope="module", params=[BASELINE, RAY], ids=["uvicorn", "serve"])
def url(request) -> Iterator[str]:
    with held(request.param) as base:
        yield base


def test_the_openapi_pages_are_the_same() -> None:
    pages = [runpy.run_path(str(ROOT / twin))["app"].openapi() for twin in (BASELINE, RAY)]
    assert pages[0] == pages[1]
    assert set(pages[0]["paths"]) == {"/healthz", "/predict"}


def test_the_page_is_served(url) -> None:
    assert "swagger" in httpx.get(f"{url}/docs").text
    schema = httpx.get(f"{url}/openapi.json").json()
    assert "Picture" in schema["components"]["schemas"]


def test_labels_are_right(url) -> None:
    pixels, labels = digits.dataset()
    truth = {digits.as_png(one): label for one, label in zip(pixels, labels.tolist(), strict=True)}
    right = 0
    for picture in digits.requests(100, seed=5):
        said = httpx.post(f"{url}/predict", json=picture).json()
        assert said["id"] == picture["id"]
        right += said["label"] == truth[digits.base64.b64decode(picture["png"])]
    assert right >= 95


def test_bad_input_is_turned_away_and_the_next_is_served(url) -> None:
    (good,) = digits.requests(1, seed=5)
    assert not wrongly_answered(url, "/predict", good)
    corrupt = httpx.post(f"{url}/predict", json=good | {"png": good["png"][:40]})
    assert corrupt.status_code == 422 and "not a PNG" in corrupt.json()["detail"][0]["msg"]


def test_a_fuzzer_finds_nothing(url) -> None:
    code, said = fuzzed(url)
    assert code == 0, said[-3000:]


def test_it_listens_on_this_machine_only(url) -> None:
    port = int(url.rpartition(":")[2])
    outside = socket.gethostbyname(socket.gethostname())
    if outside.startswith("127."):
        outside = "127.0.0.2"  # Linux answers on it only if bound to all addresses
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((outside, port), timeout=5)
