"""The table of bad input, sent to every app that is not held up by its own module's tests."""

import asyncio
import runpy
import sqlite3
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from ray import serve

from bad_input import wrongly_answered
from support import SHARED, free_port
from workshop import digits, tenants, web
from workshop.lessons import ROOT

QUIET = dict(enable_access_log=False, log_level="WARNING")
PICTURE = digits.requests(1, 0)[0]
PIXELS = dict(id=1, pixels=[0.5] * 64)
ASK = dict(id=1, question="How do I end a Ray cluster?")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory) -> str:
    path = str(tmp_path_factory.mktemp("ledger") / "ledger.db")
    with sqlite3.connect(path) as made:
        made.execute(runpy.run_path(str(ROOT / "ray_serve/07_faults_baseline.py"))["LEDGER"])
    return path


@pytest.fixture(scope="module")
def on_serve() -> Iterator[str]:
    SHARED.env()
    port = free_port()
    serve.start(http_options=dict(host=web.HOST, port=port), logging_config=QUIET)
    yield f"http://{web.HOST}:{port}"
    serve.shutdown()


def deployed(base: str, lesson: str, made: dict, ledger: str) -> str:
    """The URL of the lesson's app, beside those of the other lessons."""
    how = dict(name=lesson, route_prefix=f"/{lesson}", logging_config=QUIET)
    if lesson == "06_rollout":
        inside = how | dict(name="stable", route_prefix=None)
        serve.run(made["Digits"].options(num_replicas=1).bind(1), **inside)
        serve.run(made["Split"].options(user_config=dict(stable=100)).bind(), **how)
        return f"{base}/{lesson}"
    given = {"03_scaling": lambda: (made["learned"](), 0.0), "07_faults": lambda: (ledger,)}
    digits_app = made["Digits"].options(num_replicas=1)
    serve.run(digits_app.bind(*given.get(lesson, tuple)()), **how)
    return f"{base}/{lesson}"


@pytest.mark.thorough
@pytest.mark.parametrize("lesson", ["02_batching", "03_scaling", "06_rollout", "07_faults"])
def test_on_serve(lesson, on_serve, ledger) -> None:
    made = runpy.run_path(str(ROOT / f"ray_serve/{lesson}_ray.py"))
    url = deployed(on_serve, lesson, made, ledger)
    good = PIXELS if lesson == "03_scaling" else PICTURE
    assert wrongly_answered(url, "/predict", good) == []


@pytest.mark.parametrize(
    ("lesson", "path", "good"),
    [
        ("02_batching", "/predict", PICTURE),
        ("03_scaling", "/predict", PIXELS),
        ("04_composition", "/ask", ASK),
        ("05_multiplex", "/predict", PICTURE),
        ("06_rollout", "/predict", PICTURE),
        ("07_faults", "/predict", PICTURE),
    ],
)
def test_on_uvicorn(lesson, path, good, ledger, monkeypatch) -> None:
    """The app as serve_app() starts it, with uvicorn in a thread of this process."""
    made, port, servers = (
        runpy.run_path(str(ROOT / f"ray_serve/{lesson}_baseline.py")),
        free_port(),
        [],
    )

    def run(app, host: str, port: int, log_level: str) -> None:
        server = uvicorn.Server(uvicorn.Config(app, host, port, log_level=log_level))
        servers.append(server)
        asyncio.run(server.serve())

    monkeypatch.setattr(uvicorn, "run", run)
    given = {"03_scaling": dict(device_seconds=0.0), "06_rollout": dict(version=1)}
    given["07_faults"] = dict(ledger=ledger)
    how = dict(target=made["serve_app"], kwargs=dict(port=port) | given.get(lesson, {}))
    thread = threading.Thread(**how)
    if lesson == "05_multiplex":
        tenants.prepare()
    thread.start()
    headers = {made["HEADER"]: tenants.NAMES[0]} if lesson == "05_multiplex" else {}
    try:
        web.wait_until_healthy(port, thread.is_alive)
        assert wrongly_answered(f"http://{web.HOST}:{port}", path, good, headers) == []
    finally:
        servers[0].should_exit = True
        thread.join()
