import os
import tempfile
import threading
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import ray

PHOTOS, BATCH, ACTORS, SECONDS = 48, 8, 2, 60


def photographs(folder: Path) -> list[str]:
    """Small JPEG files, each of another brightness."""
    photo, paths = load_sample_images().images[0], []
    for k in range(PHOTOS):
        paths.append(str(folder / f"{k:02}.jpg"))
        Image.fromarray((photo[:96, :96] * (k / PHOTOS)).astype(np.uint8)).save(paths[-1])
    return paths


def watched(attempt, log: Path) -> None:
    """The attempt's decode and Model write down which process they run in, and how much."""
    names = attempt.scores.__globals__
    decode, model = names["decode"], names["Model"]

    def note(what: str, number: int) -> None:
        with log.open("a") as file:
            file.write(f"{what} {os.getpid()} {number}\n")

    def watched_decode(path):
        note("decode", 1)
        return decode(path)

    class Model(model):
        def __init__(self) -> None:
            note("build", 1)
            super().__init__()

        def __call__(self, pictures):
            note("call", len(pictures))
            return super().__call__(pictures)

    names["decode"], names["Model"] = watched_decode, Model


def noted(log: Path, what: str) -> list[tuple[str, int]]:
    """Process and number of every line about WHAT."""
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [(pid, int(number)) for kind, pid, number in lines if kind == what]


def right(rows: dict, paths: list[str]) -> None:
    assert {"path", "brightness"} <= set(rows), "a batch has the columns path and brightness"
    for path, value in zip(rows["path"], rows["brightness"], strict=True):
        wanted = np.array(Image.open(path).convert("RGB").resize((64, 64))).mean()
        name = Path(path).name
        assert abs(value - wanted) < 1e-3, f"the brightness of {name} is {wanted:.2f}, not {value}"
    missing = set(paths) - set(rows["path"])
    assert not missing, f"{len(missing)} of {len(paths)} photographs have no brightness"


def check(attempt) -> str:
    with tempfile.TemporaryDirectory() as folder:
        paths, log = photographs(Path(folder)), Path(folder) / "log"
        watched(attempt, log)
        check_without_ray(attempt.Scorer, paths[:3], log)
        log.unlink()
        ray.init(num_cpus=2, log_to_driver=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        return check_on_ray(attempt.scores, paths, log)


def check_without_ray(scorer_class, paths: list[str], log: Path) -> None:
    scorer = scorer_class()
    assert noted(log, "build"), "Scorer() built no Model: self.model = Model() in __init__"
    for _ in range(2):
        right(scorer({"path": np.array(paths)}), paths)
    assert len(noted(log, "build")) == 1, "every batch builds a Model anew: build it in __init__"
    assert len(noted(log, "decode")) == 2 * len(paths), "Scorer does not use decode()"


def check_on_ray(scores, paths: list[str], log: Path) -> str:
    rows, errors = [], []

    def collect() -> None:
        try:
            rows.extend(scores(paths).take_all())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), (
        f"nothing came out in {SECONDS} s on two CPUs: do two actors hold both of them, with no"
        " room for the tasks that read? Give each num_cpus=0.5"
    )
    if errors:
        raise errors[0]
    assert rows, "scores() returned no rows"
    right({name: [row[name] for row in rows] for name in rows[0]}, paths)
    builders = [pid for pid, _ in noted(log, "build")]
    assert str(os.getpid()) not in builders, "the driver did the work: map_batches(Scorer, ...)"
    assert len(builders) == ACTORS, (
        f"{len(builders)} actors built a Model, not {ACTORS}: ActorPoolStrategy(size={ACTORS})"
    )
    decoders = {pid for pid, _ in noted(log, "decode")}
    assert decoders <= set(builders), (
        "photographs were decoded in processes without a model, and moved: decode in Scorer"
    )
    most = max(number for _, number in noted(log, "call"))
    assert most == BATCH, f"the model got up to {most} pictures at once: batch_size={BATCH}"
    return f"{len(rows)} photographs, decoded by the {ACTORS} processes that hold a model"
