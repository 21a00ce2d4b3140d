"""The store spilled what it had no room for, gave it back intact, and emptied when told to."""

import threading
from pathlib import Path

BASELINE, RAY, PITFALL = (
    f"ray_core/08_memory_{kind}.py" for kind in ("baseline", "ray", "pitfall")
)
SPILLED = "**/ray_spilled_objects*/*"


def test_spilled_to_disk_and_back(call_alone, ray_alone) -> None:
    folder, seen, done = Path(ray_alone["RAY_TMPDIR"]), set(), threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            seen.update(folder.glob(SPILLED))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ray = call_alone(RAY).figures
    finally:
        done.set()
        watcher.join()
    assert ray["store_mb"] == 100
    assert ray["spilled_mb"] >= ray["held_mb"] - ray["store_mb"]
    assert ray["restored_mb"] >= ray["held_mb"] - ray["store_mb"]
    assert 0 < ray["used_mb"] <= ray["store_mb"]
    assert ray["left_mb"] < 1, "the references are gone, the objects are not"
    assert seen, "nobody saw a spilled file in the session's folder"
    assert list(folder.glob("**/session_*")) and not list(folder.glob(SPILLED))

    held = call_alone(BASELINE).figures
    assert ray["answer"] == held["answer"], "an array came back changed"
    assert held["peak_mb"] - held["before_mb"] > 0.9 * held["held_mb"]
    assert ray["peak_mb"] < held["peak_mb"]
    assert ray["peak_mb"] - ray["before_mb"] < 0.5 * held["held_mb"]


def test_a_store_with_room_for_all_spills_nothing(call) -> None:
    ray = call(RAY, arrays=20).figures
    assert ray["store_mb"] == 2000, "this one must have joined the shared Ray"
    assert ray["spilled_mb"] == ray["restored_mb"] == 0
    assert ray["used_mb"] >= ray["held_mb"] == 160
    assert ray["left_mb"] < 1


def test_views_pin_the_store(call_alone) -> None:
    pitfall = call_alone(PITFALL, arrays=30).figures
    assert pitfall["used_mb"] >= pitfall["held_mb"] > pitfall["store_mb"]
    assert pitfall["in_files_mb"] >= pitfall["held_mb"] - pitfall["store_mb"]
    assert pitfall["pinned_mb"] >= pitfall["held_mb"], "freed although views were alive"
    assert pitfall["left_mb"] < 1
    assert pitfall["peak_mb"] - pitfall["before_mb"] > 0.9 * pitfall["held_mb"]
