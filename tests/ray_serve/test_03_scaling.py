"""Replicas come and go with the load, a full queue says so at once, and too much is refused."""

import runpy
from types import SimpleNamespace

import psutil
import pytest
from fastapi.testclient import TestClient

from support import as_attendee, refusal
from workshop.exercises import checker, find
from workshop.lessons import ROOT

BASELINE, RAY = (f"ray_serve/03_scaling_{kind}.py" for kind in ("baseline", "ray"))
BURST, CLIENTS = 40, 8
EXERCISE = find("ray_serve/03")
SOLUTION = (ROOT / "tests/ray_serve/solutions" / EXERCISE.name).read_text()


def test_replicas_go_up_and_come_back_to_one() -> None:
    counts = as_attendee(RAY).figures["counts"]
    assert counts[0] == counts[-1] == 1
    assert 1 < max(counts) <= CLIENTS // 2
    assert set(as_attendee(BASELINE).figures["counts"]) == {1}


def test_nobody_in_the_peak_is_refused_and_the_labels_are_equal() -> None:
    one, several = as_attendee(BASELINE).figures, as_attendee(RAY).figures
    assert one["failed"] == several["failed"] == 0
    assert one["answer"] == several["answer"]


def test_a_full_queue_says_so_at_once() -> None:
    """The baseline takes everybody in, and the last waits for all the others."""
    one, several = as_attendee(BASELINE).figures, as_attendee(RAY).figures
    assert len(one["right"]) == BURST and not one["wrong"]
    assert max(one["right"]) >= BURST * 0.05, "the device is used by one at a time"
    assert len(several["right"]) + len(several["wrong"]) == BURST, "200 or 503, nothing else"
    assert several["wrong"], "nobody was refused"
    assert len(several["right"]) >= CLIENTS, "the queue has room for as many as there are clients"


@pytest.mark.measures
def test_a_refusal_is_quicker_than_the_queue_and_the_peak_gets_more_done(call) -> None:
    """Where requests cost the cores more than the device 50 ms, of a slower device."""

    def holds() -> bool:
        sooner = max(several["wrong"]) < max(one["right"]) / 2
        return sooner and several["items"] > 1.2 * one["items"]

    one, several = as_attendee(BASELINE).figures, as_attendee(RAY).figures
    if not holds():
        one, several = (call(twin, device_seconds=0.3).figures for twin in (BASELINE, RAY))
    assert holds(), (max(several["wrong"]), max(one["right"]), several["items"], one["items"])


def test_the_picture() -> None:
    for script, name in ((BASELINE, "baseline"), (RAY, "ray")):
        picture = ROOT / f"out/ray_serve/03_scaling/{name}.png"
        as_attendee(script)
        assert picture.stat().st_mtime > psutil.Process().create_time(), "left from before"
        assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.measures
def test_more_cpus_than_there_are(run) -> None:
    result = run(ROOT / RAY, "--clients", "1000")
    assert result.exit_code == 2
    assert "500 replicas want more than Ray's 8 CPUs" in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert result.wall_seconds < 10


@pytest.mark.parametrize("script", [BASELINE, RAY])
def test_bad_flags(script) -> None:
    assert "start at 1" in refusal(script, "--clients", "0")
    assert "0 to 1" in refusal(script, "--device-seconds", "nan")


def test_bad_bodies_get_a_4xx() -> None:
    lesson = runpy.run_path(str(ROOT / BASELINE))
    lesson["app"].state.means, lesson["app"].state.device_seconds = lesson["learned"](), 0
    client, picture = TestClient(lesson["app"]), lesson["learned"]()[3].tolist()
    assert client.post("/predict", json=dict(id=1, pixels=picture)).json() == dict(id=1, label=3)
    headers = {"Content-Type": "application/json"}
    for body in ("{", "{}", '{"id": 1, "pixels": [0]}', f'{{"id": 1, "pixels": {picture[1:]}}}'):
        assert client.post("/predict", content=body, headers=headers).status_code == 422
    body = f'{{"id": 1, "pixels": [NaN, {str(picture[1:])[1:]}}}'
    assert client.post("/predict", content=body, headers=headers).status_code == 422


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("min_replicas=1", "min_replicas=0", "0 replicas at night"),
        ("ceil(rate * seconds)", "ceil(rate * seconds / target)", "and 20 come"),
        ("ceil(rate * seconds)", "100", "100 are too many"),
        ("target_ongoing", "target_num_ongoing", "ignores a name"),
        ("downscale_delay_s=lull", "", "after a lull of 600 s"),
        (", max_queued_requests=int(patience / seconds)", "", "no limit"),
        ("int(patience / seconds)", "most", "may wait for it"),
        ("autoscaling_config=scaling, ", "", "number of replicas is fixed"),
    ],
)
def test_wrong_attempts_are_told_why(right, wrong, said) -> None:
    assert SOLUTION.count(right) == 1
    attempt, names = SOLUTION.replace(right, wrong), {}
    exec(attempt, names)  # noqa: S102
    check = runpy.run_path(str(checker(EXERCISE)))["check"]
    with pytest.raises(AssertionError, match=said):
        check(SimpleNamespace(**names))
