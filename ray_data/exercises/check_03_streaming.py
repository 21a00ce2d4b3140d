import weakref

import numpy as np
from sklearn.datasets import load_sample_images

import ray
from ray._private.internal_api import get_memory_info_reply, get_state_from_address

STORE, PHOTOS = 100, 400  # MB; of 0.82 MB each
AT_ONCE = 4  # batches that may be alive
WHOLE = (
    "materialize",
    "take",
    "take_all",
    "to_pandas",
    "to_numpy_refs",
    "mean",
    "aggregate",
    "sum",
)


def spilled_mb() -> float:
    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    return get_memory_info_reply(state).store_stats.spilled_bytes_total / 1e6


def check(attempt) -> str:
    if "NotImplementedError" in attempt.mean_colour.__code__.co_names:
        raise NotImplementedError
    ray.init(num_cpus=2, object_store_memory=STORE * 1_000_000, log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars, context.target_max_block_size = False, 4_000_000
    photo = load_sample_images().images[1]

    def dimmed(row: dict) -> dict:
        return {"image": photo // (1 + row["id"] % 4)}

    photos = ray.data.range(PHOTOS, override_num_blocks=PHOTOS // 4).map(dimmed)
    used, most = [], [0]
    for name in WHOLE:
        watch(name, used)
    count(most)
    result = attempt.mean_colour(photos)
    spilled = spilled_mb()
    assert result is not None, "mean_colour() returns nothing"
    right = np.mean([(photo // (1 + k)).mean(axis=(0, 1)) for k in range(4)], axis=0)
    assert np.shape(result) == (3,), "three numbers are wanted: the means of red, green and blue"
    assert np.allclose(result, right, atol=0.01), (
        f"the mean colour is {right.round(2)}, not {np.round(result, 2)}:"
        " add up in 64 bits, and divide by the number of pixels of all batches"
    )
    assert not used, f"{used[0]}() brings all of the data together: use iter_batches()"
    assert most[0] <= AT_ONCE, (
        f"{most[0]} batches were held at the same time: add each one up and let go of it"
    )
    return (
        f"{PHOTOS * photo.nbytes / 1e6:.0f} MB through a store of {STORE} MB, {spilled:.0f} spilled"
    )


def watch(name: str, used: list[str]) -> None:
    real = getattr(ray.data.Dataset, name)

    def watched(self, *args, **more):
        used.append(name)
        return real(self, *args, **more)

    setattr(ray.data.Dataset, name, watched)


def count(most: list[int]) -> None:
    """Keeps in most[0] how many batches of iter_batches() were alive at the same time."""
    real, alive = ray.data.Dataset.iter_batches, []

    def counted(self, *args, **more):
        for batch in real(self, *args, **more):
            if isinstance(batch, dict):
                alive.append(weakref.ref(batch["image"]))
                most[0] = max(most[0], sum(one() is not None for one in alive))
            yield batch

    ray.data.Dataset.iter_batches = counted
