"""Batches: full where many clients wait, the same answers as alone, and quicker."""

import runpy
import socket
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest
import torch

from ray import serve

from support import SHARED, as_attendee, call_main, free_port, refusal
from workshop import digits, web
from workshop.exercises import find, grade
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_serve/02_batching_{kind}.py" for kind in ("baseline", "ray"))
HAPROXY = "RAY_SERVE_ENABLE_HA_PROXY"
EXERCISE = find("ray_serve/02")
SOLUTION = (ROOT / "tests/ray_serve/solutions" / EXERCISE.name).read_text()


def test_who_waits_together_is_answered_together(monkeypatch) -> None:
    sizes, begun, go_on = [], threading.Event(), threading.Event()

    def recording(kind: str):
        model = digits.network("convnet")

        def scores(pixels: torch.Tensor) -> torch.Tensor:
            sizes.append(len(pixels))
            begun.set()
            assert go_on.wait(20)
            return model(pixels)

        return scores

    monkeypatch.setattr(digits, "classifier", recording)
    deployment = runpy.run_path(str(ROOT / RAY))["Digits"]
    settings = SimpleNamespace(_deployment_config=deployment._deployment_config)
    monkeypatch.setattr(serve, "get_replica_context", lambda: settings)  # local mode has none
    handle = serve.run(deployment.bind(), _local_testing_mode=True)
    pixels, _ = digits.dataset()
    first = handle.labels.remote(pixels[0])
    assert begun.wait(20)
    sent = [first, *(handle.labels.remote(one) for one in pixels[:64])]  # wait for the first
    go_on.set()
    assert len([response.result(timeout_s=20) for response in sent]) == 65
    assert sizes[0] == 1 and sum(sizes) == 65 and max(sizes) <= 32
    assert len(sizes) < 33, "hardly anybody was answered together"
    assert deployment.max_ongoing_requests >= 32, "a batch would never fill"
    sizes.clear()
    handle.labels.remote(pixels[0]).result(timeout_s=20)
    assert sizes == [1], "who is alone is answered, too"


@pytest.mark.parametrize("size", [2, 17, 32])
def test_a_label_does_not_depend_on_the_batch(size) -> None:
    model, (pixels, labels) = digits.classifier("wide"), digits.dataset()
    some = pixels[digits.TRAIN :][:96]
    alone = torch.cat([model(one[None]) for one in some]).argmax(1)
    together = torch.cat([model(batch) for batch in some.split(size)]).argmax(1)
    assert torch.equal(alone, together)
    assert (alone == labels[digits.TRAIN :][:96]).float().mean() > 0.9


def test_answers_are_equal_and_none_fails() -> None:
    one_by_one, batched = as_attendee(BASELINE).figures, as_attendee(RAY).figures
    assert batched["answer"] == one_by_one["answer"]
    assert batched["failed"] == one_by_one["failed"] == 0
    for figures in (one_by_one, batched):
        assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"]


@pytest.mark.measures
def test_batches_are_quicker() -> None:
    assert as_attendee(RAY).run.seconds < 0.7 * as_attendee(BASELINE).run.seconds


@pytest.fixture(scope="module")
def default_proxy() -> tuple[dict, list[int]]:
    """The run with HAProxy turned off, and which of HAProxy's own ports were open meanwhile."""
    opened = []

    def watch(process: subprocess.Popen) -> None:
        while process.poll() is None:
            for port in (8404, 9101):
                with socket.socket() as probe:
                    if probe.connect_ex((web.HOST, port)) == 0:
                        opened.append(port)
            time.sleep(0.1)

    def started(process: subprocess.Popen) -> None:
        threading.Thread(target=watch, args=(process,), daemon=True).start()

    arguments = dict(clients=2, port=free_port())
    env = SHARED.env() | {HAPROXY: "0"}
    return call_main(ROOT / RAY, arguments, env, started=started).figures, opened


@pytest.mark.thorough
def test_the_callers_0_turns_haproxy_off(default_proxy) -> None:
    figures, opened = default_proxy
    assert not opened and figures["failed"] == 0


@pytest.mark.thorough
def test_fewer_clients_and_another_proxy_give_the_same_answer(default_proxy) -> None:
    assert default_proxy[0]["answer"] == as_attendee(BASELINE).figures["answer"]


@pytest.mark.parametrize("script", [BASELINE, RAY])
def test_bad_flags(script) -> None:
    assert "start at 1" in refusal(script, "--clients", "0")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("max_ongoing_requests=16", "", "lets 5 requests in"),
        ("max_batch_size=8", "max_batch_size=16", "numbers at once"),
        ("batch_wait_timeout_s=0.1", "batch_wait_timeout_s=1.5", "waited 1."),
        ("number < 0", "number < -9", "spoils the whole batch"),
        ('raise ValueError("a number below 0 has no root")', "return 0.0", "not a ValueError"),
        ("await self.roots(number)", "self.model([number])[0]", "took 24 calls"),
    ],
)
def test_wrong_attempts_are_told_why(tmp_path, right, wrong, said) -> None:
    assert SOLUTION.count(right) == 1
    attempt = tmp_path / EXERCISE.name
    attempt.write_text(SOLUTION.replace(right, wrong))
    result = grade(EXERCISE, attempt=attempt)
    assert not result.passed and said in result.sentence, result.sentence
