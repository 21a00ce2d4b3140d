"""A rolling update, a canary and a rollback lose no request; restarts of uvicorn do."""

import asyncio
import random
import re
import runpy
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from support import as_attendee, refusal
from workshop import digits
from workshop.lessons import ROOT

BASELINE, RAY = (ROOT / f"ray_serve/06_rollout_{kind}.py" for kind in ("baseline", "ray"))
STEP = re.compile(
    r"^(?P<step>.+): (?P<seconds>[\d.]+) s, (?P<by>.*), (?P<failed>\d+) failed$", re.M
)


def steps(script) -> dict[str, tuple[float, dict[int, int], int]]:
    """For each step its seconds, the answers by version and the failed requests."""
    found = {}
    for number, line in enumerate(STEP.finditer(as_attendee(script).run.stdout)):
        by = re.findall(r"(\d+) by version (\d+)", line["by"])
        counts = {int(version): int(count) for count, version in by}
        name = line["step"] if script is RAY else str(number)
        found[name] = float(line["seconds"]), counts, int(line["failed"])
    return found


def test_on_serve_not_one_request_fails() -> None:
    figures = as_attendee(RAY).figures
    assert figures["failed"] == 0
    made = [sum(by.values()) for _, by, _ in steps(RAY).values()]
    checks = 3 * 60
    assert 40 < sum(made) <= figures["items"] - checks, "there was no load to speak of"


def test_by_hand_requests_fail_in_every_restart() -> None:
    made = steps(BASELINE)
    assert len(made) == 3
    assert all(failed > 0 for _, _, failed in made.values())
    assert as_attendee(BASELINE).figures["failed"] >= sum(failed for *_, failed in made.values())


def test_a_rolling_update_has_two_versions_for_a_while() -> None:
    _, by, _ = steps(RAY)["rolling update to 2"]
    assert by[1] > 0 and by[2] > 0 and by.keys() == {1, 2}


def test_the_canary_gets_its_share_and_no_more() -> None:
    made = steps(RAY)
    assert made["start of 3"][1].keys() == {2}, "it runs, and nobody asks it yet"
    _, by, _ = made["10% to 3"]
    assert by.keys() <= {2, 3} and by.get(3, 0) < by[2]


def test_a_split_asks_each_version_as_often_as_its_weight() -> None:
    cls = runpy.run_path(str(ROOT / RAY))["Split"].func_or_class

    class Version:
        asked = 0

        async def remote(self, png: str) -> dict:
            self.asked += 1
            return dict(label=1, version=1)

    split, picture = cls.__new__(cls), SimpleNamespace(id=1, png="")
    split.versions, split.weights = [Version(), Version()], [90, 10]
    random.seed(5)
    for _ in range(1000):
        asyncio.run(split.predict(picture))
    assert 60 < split.versions[1].asked < 140


@pytest.mark.measures
def test_new_weights_take_less_time_than_new_replicas() -> None:
    made = steps(RAY)
    for step in ("all to 3", "back to 2"):
        assert made[step][0] < made["start of 3"][0] / 2


def test_the_versions_are_different_classifiers() -> None:
    """Else nobody could tell from the labels which version gave them."""
    pixels = digits.dataset()[0][digits.TRAIN :]
    one, two = (digits.classifier(seed=version)(pixels).argmax(1) for version in (1, 2))
    assert (one != two).any()


def test_what_is_no_picture_gets_a_sentence() -> None:
    app = runpy.run_path(str(BASELINE))["app"]
    reply = TestClient(app).post("/predict", json=dict(id=1, png="AAAA"))
    assert reply.status_code == 422 and "PNG" in reply.text


@pytest.mark.parametrize("script", [BASELINE, RAY], ids=lambda path: path.stem)
def test_bad_flags(script) -> None:
    assert "start at 1" in refusal(script, "--updates", "0")
