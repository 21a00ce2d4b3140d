import time

import ray

SECONDS = {"temple-0": 0.8, "flower-1": 0.1, "temple-2": 0.1, "flower-3": 0.1, "temple-4": 0.1}
BROKEN = ["flower-1", "flower-3"]


@ray.remote
def develop(name: str, seconds: float) -> None:
    time.sleep(seconds)
    if name in BROKEN:
        raise ValueError(f"{name} is not a photograph")


def check(attempt) -> str:
    if "NotImplementedError" in attempt.post_mortem.__code__.co_names:
        raise NotImplementedError
    ray.init(num_cpus=1, log_to_driver=False)
    running = [develop.options(name=name).remote(name, s) for name, s in SECONDS.items()]
    try:
        result = attempt.post_mortem(running)
    except ray.exceptions.RayTaskError as error:
        raise AssertionError(
            "post_mortem() failed with the task's own error, as ray.get does: ray.wait waits too"
        ) from error
    assert isinstance(result, tuple) and len(result) == 2, (
        f"post_mortem() must return two things, the failed names and the slowest, not {result!r}"
    )
    failed, slowest = result
    assert sorted(failed) == BROKEN, (
        f"{BROKEN} failed, you found {sorted(failed)}: their state is FAILED"
    )
    assert slowest == "temple-0", (
        f"the slowest is temple-0, not {slowest}: from its own start to its end, waiting apart"
    )
    return f"{', '.join(BROKEN)} failed, and temple-0 took longest"
