"""Photographs with EXIF and a catalogue, cut from scikit-learn's two; some of them dirty."""

import datetime
import random
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageFilter
from rich.progress import track

from workshop.problems import problem
from workshop.samples.folders import QUIET, VERSION, Made, finished, made_earlier, new_draft

LABELS = ("temple", "flower")  # scikit-learn's china.jpg and flower.jpg
CAMERAS = ("Canon EOS R8", "Nikon Z5", "Sony A7 III")
SMALL, CAMERA_SIZE = 640, 2200  # pixels of the longest side, at most
EXIF_MODEL, EXIF_DATE, EXIF_DESCRIPTION = 0x0110, 0x0132, 0x010E
BAD = ("truncated", "empty", "text", "link", "folder")  # nothing to be seen in these
ODD = ("cmyk", "palette", "16 bits", "same name")  # images, but not as one expects them


def images(folder: Path, count: int, size: int = SMALL, seed: int = 42) -> Made:
    """COUNT JPEG files FOLDER/LABEL/NNNNN.jpg, their longest side 0.64 to 1 times SIZE pixels.

    FOLDER.parquet lists them: file, label, camera, taken, width, height.
    """
    arguments = dict(kind="images", version=VERSION, count=count, size=size, seed=seed)
    if made := made_earlier(folder, arguments):
        return made
    draft = new_draft(folder)
    for label in LABELS:
        (draft / label).mkdir()
    with ProcessPoolExecutor() as pool:
        work = pool.map(partial(image, draft, size, seed), range(count), chunksize=8)
        rows = list(track(work, f"{count} images", total=count, **QUIET))
    pq.write_table(pa.Table.from_pylist(rows), folder.with_suffix(".parquet"))
    return finished(draft, folder, arguments)


def image(folder: Path, size: int, seed: int, number: int) -> dict:
    """Writes one image below FOLDER and returns its row of the catalogue."""
    from sklearn.datasets import load_sample_images  # .venv-vllm has none, and needs none

    rng = np.random.default_rng((seed, number))
    label = number % len(LABELS)
    photo = Image.fromarray(load_sample_images().images[label])
    width, height = rng.integers(200, 428, 2)
    x, y = rng.integers(0, photo.width - width + 1), rng.integers(0, photo.height - height + 1)
    scale = rng.uniform(0.64, 1) * size / max(width, height)
    picture = photo.crop((x, y, x + width, y + height)).resize(
        (round(width * scale), round(height * scale)), Image.Resampling.BICUBIC
    )
    if scale > 2:
        picture = picture.filter(ImageFilter.UnsharpMask(radius=scale, percent=80))
    taken = datetime.datetime(2026, 1, 1) + datetime.timedelta(minutes=int(rng.integers(525_600)))  # noqa: DTZ001
    exif, camera = Image.Exif(), str(rng.choice(CAMERAS))
    exif[EXIF_MODEL], exif[EXIF_DESCRIPTION] = camera, LABELS[label]
    exif[EXIF_DATE] = taken.strftime("%Y:%m:%d %H:%M:%S")
    file = f"{LABELS[label]}/{number:05}.jpg"
    picture.save(folder / file, quality=90, exif=exif)
    row = dict(file=file, label=LABELS[label], camera=camera, taken=taken)
    return row | dict(width=picture.width, height=picture.height)


def dirty(folder: Path, count: int, bad: int, size: int = SMALL, seed: int = 42) -> Made:
    """As images(), but BAD of the COUNT are of the kinds in BAD and ODD, in turn.

    FOLDER.parquet lists all of them: file, label, kind ("" is an image as the others).
    """
    arguments = dict(kind="dirty", version=VERSION, count=count, bad=bad, size=size, seed=seed)
    if made := made_earlier(folder, arguments):
        return made
    draft = new_draft(folder)
    for label in LABELS:
        (draft / label).mkdir()
    rng = random.Random(seed)
    kinds = dict(zip(rng.sample(range(1, count), bad), (BAD + ODD) * count, strict=False))
    work = partial(dirty_image, draft, size, seed)
    with ProcessPoolExecutor() as pool:
        done = pool.map(work, range(count), map(kinds.get, range(count)), chunksize=8)
        rows = list(track(done, f"{count} images, {bad} of them dirty", total=count, **QUIET))
    pq.write_table(pa.Table.from_pylist(rows), folder.with_suffix(".parquet"))
    return finished(draft, folder, arguments)


def dirty_image(folder: Path, size: int, seed: int, number: int, kind: str | None) -> dict:
    """Writes one image below FOLDER, does to it what KIND says, returns its catalogue's row."""
    row = image(folder, size, seed, number)
    path, rng = folder / row["file"], random.Random(f"{seed} {number}")
    match kind:
        case "truncated":
            path.write_bytes(path.read_bytes()[: int(path.stat().st_size * rng.uniform(0.2, 0.8))])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text(problem(rng).question)
        case "link":
            path.unlink()
            path.symlink_to("moved/elsewhere.jpg")
        case "folder":
            path.unlink()
            path.mkdir()
        case "cmyk" | "palette" | "16 bits":
            path.write_bytes(in_mode(Image.open(path), kind))
        case "same name":  # as the image before it, which is in the other label's folder
            path = path.rename(path.with_name(f"{number - 1:05}.jpg"))
    return dict(file=str(path.relative_to(folder)), label=row["label"], kind=kind or "")


def in_mode(picture: Image.Image, kind: str) -> bytes:
    """The picture as a CMYK JPEG, a PNG of 256 colours, or a grey PNG of 16 bits a pixel."""
    stream = BytesIO()
    match kind:
        case "cmyk":
            picture.convert("CMYK").save(stream, "JPEG", quality=90)
        case "palette":
            picture.quantize(256).save(stream, "PNG")
        case "16 bits":
            grey = np.asarray(picture.convert("L"), np.uint16) * 257
            Image.fromarray(grey).save(stream, "PNG")
    return stream.getvalue()
