import math
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from ray import serve

MOST = 8


def check(attempt) -> str:
    """@serve.batch asks for its replica's settings, which local testing mode does not have."""
    settings = SimpleNamespace(_deployment_config=attempt.Roots._deployment_config)
    with (
        patch.object(serve, "get_replica_context", lambda: settings),
        tempfile.TemporaryDirectory() as folder,
    ):
        return check_locally(attempt, Path(folder, "calls"))


def check_locally(attempt, file: Path) -> str:
    def model(numbers: list[float]) -> list[float]:
        with file.open("a") as lines:  # Serve gives the deployment a copy of this function
            print(len(numbers), file=lines)
        if min(numbers) < 0:
            raise ValueError("a number below 0 in the batch")
        return [math.sqrt(number) for number in numbers]

    handle = serve.run(attempt.Roots.bind(model), _local_testing_mode=True)
    handle.remote(4.0).result(timeout_s=10)  # whatever has to start, has started

    start = time.monotonic()
    assert handle.remote(9.0).result(timeout_s=10) == 3.0, "the root of 9 is not 3"
    waited = time.monotonic() - start
    assert waited < 1, f"a request that was alone waited {waited:.1f} s: batch_wait_timeout_s"

    file.write_text("")
    sent = [handle.remote(float(number)) for number in range(3 * MOST)]
    got = [response.result(timeout_s=10) for response in sent]
    assert got == [math.sqrt(number) for number in range(3 * MOST)], "somebody got another's root"
    calls = [int(line) for line in file.read_text().split()]
    assert calls, "the roots are right, but the model was not asked"
    assert max(calls) <= MOST, f"the model got {max(calls)} numbers at once: max_batch_size"
    assert len(calls) <= 6, (
        f"{3 * MOST} requests that came together took {len(calls)} calls of the model: @serve.batch"
    )
    room = attempt.Roots.max_ongoing_requests
    assert room >= MOST, (
        f"a replica lets {room} requests in at a time, so no batch has {MOST}: max_ongoing_requests"
    )

    sent = [handle.remote(number) for number in (1.0, -1.0, 16.0)]
    for number, response in zip((1.0, 16.0), (sent[0], sent[2]), strict=True):
        try:
            assert response.result(timeout_s=10) == math.sqrt(number), "a neighbour's root is wrong"
        except ValueError:
            raise AssertionError("one number below 0 spoils the whole batch for others") from None
    try:
        got = sent[1].result(timeout_s=10)
    except ValueError:
        return "full batches, a short wait, and a bad request harms nobody else"
    raise AssertionError(f"a number below 0 got {got!r}, not a ValueError")
