"""One model a tenant: same labels whether it is read each time or kept, and fewer reads."""

import runpy
from types import SimpleNamespace

import pytest
import torch

from ray import serve

from bad_input import wrongly_answered
from support import SHARED, as_attendee, free_port, refusal
from workshop import digits, load, tenants
from workshop.exercises import checker, find
from workshop.lessons import ROOT

BASELINE, RAY = (ROOT / f"ray_serve/05_multiplex_{kind}.py" for kind in ("baseline", "ray"))


def test_same_labels_with_far_fewer_loads() -> None:
    each_time, kept = as_attendee(BASELINE).figures, as_attendee(RAY).figures
    assert each_time["answer"] == kept["answer"]
    assert each_time["failed"] == kept["failed"] == 0
    assert each_time["loads"] == each_time["items"]
    asked = {body["tenant"] for body in tenants.requests(kept["items"], 42)}
    assert len(asked) <= kept["loads"] < kept["items"] / 2


def test_the_tenants_differ_and_know_digits() -> None:
    tenants.prepare()
    pixels, labels = digits.dataset()
    unseen, right = pixels[digits.TRAIN :], labels[digits.TRAIN :]
    said = [tenants.load(name)(unseen).argmax(1) for name in tenants.NAMES[:3]]
    assert all((labels == right).float().mean() > 0.95 for labels in said)
    assert not torch.equal(said[0], said[1]) and not torch.equal(said[1], said[2])


def test_few_tenants_send_most() -> None:
    sent = [body["tenant"] for body in tenants.requests(1000, 42)]
    often = sorted((sent.count(name) for name in tenants.NAMES), reverse=True)
    assert sum(often) == 1000 and sum(often[:5]) > 500
    assert sent != [body["tenant"] for body in tenants.requests(1000, 7)]


@pytest.mark.thorough
def test_each_replica_keeps_eight_and_bad_input_gets_a_sentence() -> None:

    SHARED.env()
    quiet = dict(enable_access_log=False, log_level="WARNING")
    port, made = free_port(), runpy.run_path(str(RAY))
    serve.start(http_options=dict(host="127.0.0.1", port=port), logging_config=quiet)
    try:
        serve.run(made["Digits"].options(num_replicas=1).bind(), logging_config=quiet)
        url, picture = f"http://127.0.0.1:{port}", digits.requests(1, 0)[0]
        order = [*tenants.NAMES[:9], *tenants.NAMES[1:9], tenants.NAMES[0]]
        bodies = [picture | dict(tenant=name) for name in order]
        done = load.closed_loop(f"{url}/predict", bodies, warm_up=0, send=made["send"])
        loaded = [each.body["loaded"] for each in done.answers]
        assert loaded == [True] * 9 + [False] * 8 + [True], "not the least recently used one went"

        for tenant, status in (("tenant-99", 404), ("", 404), ("../tenant-00", 404)):
            bad = [picture | dict(tenant=tenant)]
            (answer,) = load.closed_loop(
                f"{url}/predict", bad, warm_up=0, send=made["send"]
            ).answers
            assert answer.status == status and "no tenant" in answer.body["detail"], answer
        (answer,) = load.closed_loop(f"{url}/predict", [picture], warm_up=0).answers
        assert answer.status == 422 and made["HEADER"] in str(answer.body["detail"]), answer
        header = {made["HEADER"]: tenants.NAMES[0]}
        assert not wrongly_answered(url, "/predict", picture, header)
    finally:
        serve.shutdown()


@pytest.mark.parametrize("script", [BASELINE, RAY], ids=["baseline", "ray"])
def test_bad_flags_get_a_sentence(script) -> None:
    assert "--requests and --clients start at 1" in refusal(script, "--clients", "0")


@pytest.mark.parametrize(
    "call",
    [
        "self.models.predict.options(multiplexed_model_id=tenant).remote(picture)",
        "self.models.options(method_name='predict', multiplexed_model_id=tenant).remote(picture)",
    ],
)
def test_the_checker_takes_every_right_way(call) -> None:
    exercise, names = find("ray_serve/05"), {}
    solution = (ROOT / "tests/ray_serve/solutions" / exercise.name).read_text()
    attempt = solution.replace("models.predict.remote(picture)", call)
    exec(attempt.replace("models = self", "tenant = self.tenants[key]; _ = self"), names)  # noqa: S102
    check = runpy.run_path(str(checker(exercise)))["check"]
    assert "reaches" in check(SimpleNamespace(**names))
