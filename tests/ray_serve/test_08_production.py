"""Operations: what is refused, logged, counted and replaced, who is not stopped, what listens."""

import contextlib
import json
import os
import re
import runpy
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx2 as httpx
import psutil
import pytest
import torch
import yaml
from click.testing import CliRunner

from ray import serve
from ray.serve.scripts import build

from bad_input import wrongly_answered
from fuzzing import fuzzed
from support import SHARED, as_attendee, free_port, held, refusal
from workshop import digits
from workshop.cluster_check.kubernetes import check_cluster_spec
from workshop.cluster_check.serve_config import check_serve_config
from workshop.exercises import checker, find
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_serve/08_production_{kind}.py" for kind in ("baseline", "ray"))
CONFIG = ROOT / "ray_serve/serve_config.yaml"
RAYSERVICE = ROOT / "clusters/kuberay/rayservice.yaml"
KEY, SLOW = "a key that nobody would guess", 50  # clients
TIMEOUT = yaml.safe_load(CONFIG.read_text())["http_options"]["request_timeout_s"]
(GOOD,) = digits.requests(1, seed=5)
EXERCISE = find("ray_serve/08")
SOLUTION = (ROOT / "tests/ray_serve/solutions" / EXERCISE.name).read_text()


@pytest.mark.parametrize("twin", [BASELINE, RAY])
def test_each_operation_works(twin) -> None:
    figures = as_attendee(twin).figures
    assert figures["failed"] == 0
    assert figures["refused"] == {"no key": 401, "a wrong key": 403, "2 MB": 413}
    assert figures["counted"] == figures["items"], "the refused ones do not count"
    assert figures["last"] == 200, "who was being served when the service was told to stop"
    assert figures["line"]["picture"] in range(4) and figures["line"]["request_id"], "4 clients"


@pytest.mark.parametrize("twin", [BASELINE, RAY])
def test_flags_that_are_refused(twin) -> None:
    assert "start at 1" in refusal(twin, "--clients", "0")


def test_the_config_is_what_serve_build_writes_and_more(tmp_path) -> None:
    folder, built = str(CONFIG.parent), tmp_path / "built.yaml"
    said = CliRunner().invoke(build, ["08_production_ray:app", "-d", folder, "-o", str(built)])
    assert said.exit_code == 0, said.output
    theirs, ours = (yaml.safe_load(file.read_text()) for file in (built, CONFIG))
    (app,), (mine,) = theirs["applications"], ours["applications"]
    for key in ("import_path", "route_prefix"):
        assert mine[key] == app[key]
    for one in (mine, app):
        assert [each["name"] for each in one["deployments"]] == ["Digits"]
    hosts = [each["http_options"]["host"] for each in (theirs, ours)]
    assert hosts == ["0.0.0.0", "127.0.0.1"]  # noqa: S104, what Serve writes and what we repair


def test_a_rayservice_takes_the_same_config() -> None:
    """In clusters/kuberay's manifest, in place of its app; the host of a laptop does not go in."""
    documents = yaml.safe_load_all(RAYSERVICE.read_text())
    (service,) = (each for each in documents if each["kind"] == "RayService")
    config = CONFIG.read_text()
    assert [each.level for each in check_serve_config(config)] == ["ok"]
    for stale, levels in ((False, {"ok"}), (True, {"ok", "fail"})):
        text = config.replace("max_ongoing_requests", "max_concurrent_queries") if stale else config
        inside = yaml.safe_load(text)
        del inside["http_options"]
        service["spec"]["serveConfigV2"] = yaml.safe_dump(inside)
        assert {each.level for each in check_cluster_spec(service)} == levels


WITH_HAPROXY = """
import sys
import ray
from ray import serve

names = "RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"
ray.init(log_to_driver=False, runtime_env=dict(env_vars=dict.fromkeys(names, "1")))
serve.start(http_options=dict(host="127.0.0.1", port=int(sys.argv[1])))

@serve.deployment(ray_actor_options=dict(num_cpus=0.2))
class Hello:
    def __call__(self, request) -> str:
        return "hello"

try:
    serve.run(Hello.bind())
    print("up", flush=True)
    sys.stdin.readline()
finally:
    serve.shutdown()
"""


def listening() -> dict[int, tuple[str, str]]:
    """Port: address and process, of all TCP ports of this machine that are open."""
    found = {}
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.pid:
            with contextlib.suppress(psutil.NoSuchProcess):
                found[each.laddr.port] = each.laddr.ip, psutil.Process(each.pid).name()
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="HAProxy comes for Linux only")
@pytest.mark.thorough
def test_what_haproxy_opens(tmp_path, shared_ray) -> None:
    """Only what the README names, whoever else is reached from outside."""
    script, port = tmp_path / "up.py", free_port()
    script.write_text(WITH_HAPROXY)
    process = subprocess.Popen(
        [sys.executable, str(script), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | shared_ray,
    )
    try:
        assert "up\n" in iter(process.stdout.readline, ""), "it did not start"
        assert httpx.get(f"http://127.0.0.1:{port}").text == "hello"
        found = listening()
    finally:
        process.communicate("\n", timeout=60)
    of_haproxy = {number: address for number, (address, name) in found.items() if name == "haproxy"}
    assert of_haproxy == {port: "127.0.0.1", 8404: "0.0.0.0", 9101: "0.0.0.0"}  # noqa: S104
    address, name = found[8500]
    assert address == "127.0.0.1" and "Proxy" in name
    of_replicas = [address for address, name in found.values() if "Hello" in name]
    assert "127.0.0.1" in of_replicas


@pytest.fixture(scope="module", params=[BASELINE, RAY], ids=["uvicorn", "serve"])
def url(request) -> Iterator[str]:
    with held(request.param, env=SHARED.env() | {"WORKSHOP_API_KEY": KEY}) as base:
        yield base


@pytest.fixture
def logs(request, url) -> Path:
    """The folder that Serve, or the service on uvicorn, logs into."""
    if request.node.callspec.params["url"] == BASELINE:
        return ROOT / "out/ray_serve/08_production"
    (folder,) = SHARED.folder.glob("session_2*/logs")
    return folder


def predict(url: str) -> httpx.Response:
    return httpx.post(f"{url}/predict", json=GOOD, headers={"X-API-Key": KEY}, timeout=60)


def test_bad_input(url) -> None:
    assert wrongly_answered(url, "/predict", GOOD, {"X-API-Key": KEY}, "X-API-Key") == []


def test_a_request_is_found_in_the_logs(url, logs, request) -> None:
    """On Serve there are lines of the replica and of the proxy; the id leads to both."""
    answer, deadline, found = predict(url), time.monotonic() + 10, []
    expected = 2 if request.node.callspec.params["url"] == BASELINE else 3
    while len(found) < expected and time.monotonic() < deadline:
        written = [line for file in logs.rglob("*.log") for line in file.read_text().splitlines()]
        name = answer.headers["x-request-id"]
        found = [json.loads(line) for line in written if f'"request_id": "{name}"' in line]
    (ours,) = (line for line in found if line["message"] == "labelled")
    assert (ours["picture"], ours["label"]) == (GOOD["id"], answer.json()["label"])
    access = [line["message"] for line in found if line is not ours]
    assert len(access) == expected - 1
    assert all(message.startswith("POST /predict 200 ") for message in access)


def test_the_key_is_in_no_log(url, logs) -> None:
    assert predict(url).status_code == 200
    files = [file for file in logs.rglob("*") if file.is_file()]
    assert files
    assert not [file.name for file in files if KEY.encode() in file.read_bytes()]


@contextlib.contextmanager
def slow_clients(url: str, headers: str) -> Iterator[list[socket.socket]]:
    """So many clients of whom each sends its body byte by byte, and is never done."""
    port, stop = int(url.rpartition(":")[2]), threading.Event()
    head = f"POST /predict HTTP/1.1\r\nHost: here\r\nX-API-Key: {KEY}\r\n{headers}"
    head += "Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n{"
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW)]
    for each in clients:
        each.settimeout(30)
        each.sendall(head.encode())

    def dribble() -> None:
        while not stop.wait(0.2):
            for each in clients:
                with contextlib.suppress(OSError):
                    each.sendall(b" ")

    thread = threading.Thread(target=dribble)
    thread.start()
    try:
        yield clients
    finally:
        stop.set()
        thread.join()
        for each in clients:
            each.close()


@pytest.mark.parametrize("headers", ["", "x-request-timeout-seconds: 0\r\n"], ids=["", "no limit"])
def test_slow_clients_do_not_stop_the_others(url, headers) -> None:
    """With that header a client turns Serve's timeout off for itself, but not the Guard's."""
    with slow_clients(url, headers) as clients:
        time.sleep(0.5)  # until they are inside
        for _ in range(5):
            start = time.monotonic()
            assert predict(url).status_code == 200
            assert time.monotonic() - start < 2 * TIMEOUT, "twice, for a busy machine"
        said = [each.recv(1000) for each in clients]
    assert all(each.startswith(b"HTTP/1.1 408") for each in said)
    assert predict(url).status_code == 200


def test_a_fuzzer_finds_nothing(url) -> None:
    code, said = fuzzed(url, {"X-API-Key": KEY})
    assert code == 0, said[-3000:]


def test_a_sick_replica_is_replaced(url, logs, request) -> None:
    """Its weights are set to NaN from outside; on uvicorn nobody would do anything about it."""
    if request.node.callspec.params["url"] == BASELINE:
        pytest.skip("uvicorn has nobody who would replace it")

    def replicas() -> set[Path]:
        return set(logs.glob("serve/replica_digits_*.log"))

    label, before = predict(url).json(), replicas()
    sick = digits.network("convnet").requires_grad_(False)
    for weights in sick.parameters():
        weights.fill_(torch.nan)
    handle = serve.get_app_handle("digits").options(method_name="__setattr__")
    handle.remote("model", sick).result(timeout_s=30)
    assert httpx.get(f"{url}/healthz", timeout=60).status_code == 503
    deadline = time.monotonic() + 60
    while replicas() == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(replicas() - before) == 1, "no new replica"
    assert predict(url).json() == label


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("raise RuntimeError(", "return not (", "does not look at what check_health() returns"),
        ("if age > LIMIT", "if age > 3600", "does not mind"),
        ("if age > LIMIT", "if age > 0", "though the prices are new"),
        ("age = time", "self.fetch(); age = time", "calls fetch()"),
        ('f"the prices are {age:.1f} s old"', "", "without a word"),
        ("except Exception as error", "except TypeError as error", "does the thread live"),
        ("else:", "finally:", "does not mind"),
    ],
)
def test_wrong_attempts_are_told_why(tmp_path, right, wrong, said) -> None:
    assert SOLUTION.count(right) == 1
    attempt = tmp_path / EXERCISE.name
    attempt.write_text(SOLUTION.replace(right, wrong))
    check = runpy.run_path(str(checker(EXERCISE)))["check"]
    check.__globals__["PATIENCE"] = 2
    with pytest.raises(AssertionError, match=re.escape(said)):
        check(SimpleNamespace(**runpy.run_path(str(attempt))))
