import time

import numpy as np

import ray


@ray.remote(num_cpus=0)
class SlowBrightest:
    def report(self, name: str, mean: float) -> None:
        time.sleep(1)


def check(attempt) -> str:
    assert hasattr(attempt.Brightest, "remote"), "Brightest is not an actor: @ray.remote is gone"
    assert hasattr(attempt.measure, "remote"), "measure is not a task: @ray.remote is gone"
    ray.init(num_cpus=4, log_to_driver=False)
    brightest = attempt.Brightest.remote()
    ray.get([brightest.report.remote("dark", 10.0), brightest.report.remote("light", 200.0)])
    ray.get(brightest.report.remote("grey", 100.0))
    answer = ray.get(brightest.best.remote())
    assert answer is not None, "best() returns nothing: return the name and the mean"
    assert tuple(answer) == ("light", 200.0), (
        f"after dark 10, light 200 and grey 100, best() is {answer}, not ('light', 200.0)"
    )

    brightest = attempt.Brightest.remote()
    photos = {f"photo {i}": np.full((64, 64), i, np.uint8) for i in range(50)}
    ray.get([attempt.measure.remote(name, photo, brightest) for name, photo in photos.items()])
    name, mean = ray.get(brightest.best.remote())
    assert name is not None, "measure() did not report anything to the actor"
    assert (name, float(mean)) == ("photo 49", 49.0), (
        f"of 50 photographs the brightest is photo 49 with mean 49.0, not {name} with {mean}"
    )

    slow = SlowBrightest.remote()
    ray.get(slow.__ray_ready__.remote())
    start = time.perf_counter()
    ray.get(attempt.measure.remote("photo 1", photos["photo 1"], slow))
    assert time.perf_counter() - start > 0.9, (
        "the right answer, by luck: measure() ends before its report has arrived; ray.get waits"
    )
    return "50 tasks reported to one actor, and it knows the brightest"
