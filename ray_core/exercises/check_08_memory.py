import time

import numpy as np

import ray
from ray._private.internal_api import get_memory_info_reply, get_state_from_address

MEGABYTES, PHOTOS = 10, 12  # of one photograph; number of them
STORE = 80


def store_mb() -> tuple[float, float]:
    """MB in the object store now, and spilled to disk so far."""
    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    stats = get_memory_info_reply(state).store_stats
    return stats.object_store_bytes_used / 1e6, stats.spilled_bytes_total / 1e6


def check(attempt) -> str:
    for method in (attempt.Album.add, attempt.Album.brightness, attempt.Album.remove):
        if "NotImplementedError" in method.__code__.co_names:
            raise NotImplementedError
    ray.init(num_cpus=1, object_store_memory=STORE * 1_000_000, log_to_driver=False)
    album = attempt.Album()
    album.add("first", np.ones((MEGABYTES, 1_000_000), np.uint8))
    assert store_mb()[0] >= MEGABYTES, (
        "add() must put the photograph into the object store: ray.put"
    )
    for i in range(PHOTOS):
        album.add(f"photo {i}", np.full((MEGABYTES, 1_000_000), i, np.uint8))
    spilled = store_mb()[1]
    for i in range(PHOTOS):
        result = album.brightness(f"photo {i}")
        right = i * MEGABYTES * 1_000_000
        assert result == right, f"the brightness of photo {i} is {right}, not {result}"

    for name in ["first", *(f"photo {i}" for i in range(PHOTOS))]:
        album.remove(name)
    deadline = time.monotonic() + 5
    while (left := store_mb()[0]) > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left <= 1, (
        f"all photographs are removed, but {left:.0f} MB stay in the store:"
        " something still holds a reference, or an array that ray.get returned"
    )
    return f"{PHOTOS} photographs, {spilled:.0f} MB spilled, all intact, and the store is empty"
