import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import ray

GOOD = 12


def check(attempt) -> str:
    for function in (attempt.examined, attempt.sorted_out):
        if "NotImplementedError" in function.__code__.co_names:
            raise NotImplementedError
    with tempfile.TemporaryDirectory() as folder:
        return check_in(attempt, Path(folder))


def check_in(attempt, folder: Path) -> str:
    right, reasons = {}, {}
    photo = Image.fromarray(load_sample_images().images[0])
    for i in range(GOOD):
        path = folder / f"{i}.jpg"
        photo.crop((i, 0, i + 100, 100)).save(path)
        right[str(path)] = attempt.brightness(path.read_bytes())
    whole = (folder / "0.jpg").read_bytes()
    for name, data in (("short", whole[: len(whole) // 2]), ("empty", b""), ("text", b"Dear sir")):
        path = folder / f"{name}.jpg"
        path.write_bytes(data)
        reasons[str(path)] = "OSError" if name == "short" else "UnidentifiedImageError"
    reasons[str(folder / "missing.jpg")] = "FileNotFoundError"

    for path, reason in reasons.items():
        try:
            row = attempt.examined({"path": path})
        except Exception as error:
            raise AssertionError(
                f"examined() raises {type(error).__name__} for {Path(path).name}: one such file"
                " would end the whole run"
            ) from None
        assert isinstance(row, dict) and row.get("path") == path, "examined() must keep the path"
        assert row.get("reason") == reason, (
            f"the reason for {Path(path).name} is {reason!r}, not {row.get('reason')!r}"
        )

    ray.init(num_cpus=2, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    paths = [path for pair in zip(right, [*reasons, *right], strict=False) for path in pair]
    paths = list(dict.fromkeys([*paths, *right, *reasons]))
    try:
        result = attempt.sorted_out(paths)
        assert isinstance(result, tuple) and len(result) == 2, "sorted_out() returns two Datasets"
        good, bad = ([*data.iter_rows()] for data in result)
    except OSError as error:
        raise AssertionError(
            f"a file ended the run ({type(error).__name__}): give Ray the paths as rows"
            " (from_items), and open each file inside examined()"
        ) from None
    found = sorted(row["path"] for row in [*good, *bad])
    assert found == sorted(paths), (
        f"{len(paths)} paths went in, {len(found)} came out, {len(set(found))} different ones:"
        " every path belongs into exactly one of the two Datasets"
    )
    assert {row["path"]: row["reason"] for row in bad} == reasons, (
        "the second Dataset holds the broken ones, with their reasons"
    )
    values = [row["brightness"] for row in good]
    assert np.allclose(values, [right[row["path"]] for row in good]), "a brightness is wrong"
    return f"{len(good)} photographs with their brightness, {len(bad)} others with a reason"
