"""How long each stage of a request took, in the HTTP header that browsers show: Server-Timing."""

import re
import time
from statistics import median

import requests


class Watch:
    """Names the stages of one request as they end."""

    def __init__(self) -> None:
        self.last, self.laps = time.perf_counter(), []

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps.append(f"{stage};dur={1000 * (now - self.last):.3f}")
        self.last = now

    @property
    def header(self) -> dict[str, str]:
        return {"Server-Timing": ", ".join(self.laps)}


def medians(url: str, bodies: list[dict]) -> dict[str, float]:
    """Median milliseconds of each stage, and of the whole request; one request after the other."""
    taken: dict[str, list[float]] = {}
    with requests.Session() as session:
        for body in bodies:
            answer = session.post(url, json=body, timeout=60)
            for stage, ms in re.findall(r"(\w+);dur=([\d.]+)", answer.headers["Server-Timing"]):
                taken.setdefault(stage, []).append(float(ms))
            taken.setdefault("whole", []).append(1000 * answer.elapsed.total_seconds())
    return {stage: median(times) for stage, times in taken.items()}
