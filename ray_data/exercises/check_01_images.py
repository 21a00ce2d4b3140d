import logging
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import ray

BY = 60


def photographs(folder: Path) -> dict[str, np.ndarray]:
    """Writes crops of several sizes, one of them grey, and returns their pixels as RGB by path."""
    made = {}
    for number, size in enumerate((90, 120, 150, 180)):
        crop = Image.fromarray(load_sample_images().images[number % 2][:size, : 2 * size])
        path = folder / f"{number}.png"
        (crop.convert("L") if number == 3 else crop).save(path)
        made[str(path)] = np.asarray(Image.open(path).convert("RGB"))
    return made


def check(attempt) -> str:
    if "NotImplementedError" in attempt.brighter.__code__.co_names:
        raise NotImplementedError
    ray.init(num_cpus=2, log_to_driver=False)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    ray.data.DataContext.get_current().enable_progress_bars = False
    with tempfile.TemporaryDirectory() as folder:
        photos = photographs(Path(folder))
        no_image = Path(folder) / "notes.jpg"
        no_image.write_text("not a photograph")
        try:
            plan = attempt.brighter([str(no_image)], BY)
        except ray.exceptions.RayError:
            raise AssertionError("brighter() ran the plan itself: return it as it is") from None
        assert plan is not None, "brighter() returns nothing"
        assert isinstance(plan, ray.data.Dataset), (
            f"brighter() returns a {type(plan).__name__}, not a Dataset: something has run"
        )
        try:
            rows = attempt.brighter(list(photos), BY).take_all()
        except ray.exceptions.RayError as error:
            assert "read-only" not in str(error), (
                "the image of a row is read-only, it lies in shared memory: compute a new array"
            )
            raise
    for row in rows:
        assert set(row) == {"path", "image"}, (
            f"the columns are {', '.join(sorted(row))}, not path and image"
        )
    missing = set(photos) - {row["path"] for row in rows}
    assert not missing and len(rows) == len(photos), f"{len(photos)} images in, {len(rows)} out"
    for row in rows:
        before, after = photos[row["path"]], np.asarray(row["image"])
        assert after.shape == before.shape, (
            f"an image of shape {after.shape}: one of the files is grey, read all of them as RGB"
        )
        assert after.dtype == np.uint8, f"the pixels are {after.dtype} now, not uint8"
        assert not (after < before).any(), "some pixels became darker: uint8 starts again after 255"
        right = np.minimum(before.astype(int) + BY, 255)
        assert (after == right).all(), f"some pixels are not brighter by {BY}"
    return f"{len(rows)} images of several sizes, brighter, and nothing ran before it was asked for"
