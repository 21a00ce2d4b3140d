"""Sample data for ray_data and later stages, made here: no download, the same for every seed.

    python -m workshop.samples                                  what the lessons read
    python -m workshop.samples images --count 1000 --size 640 --output some/folder
    python -m workshop.samples texts --count 20000 --output some/folder
    python -m workshop.samples dirty --count 1000 --bad 100 --output some/folder

A folder that was made with the same arguments is left as it is.
"""

import datetime
import json
import random
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from PIL import Image, ImageFilter
from rich.console import Console
from rich.progress import track
from sklearn.datasets import load_sample_images
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from workshop.lessons import ROOT
from workshop.problems import problem

FOLDER = ROOT / "out" / "samples"
LABELS = ("temple", "flower")  # scikit-learn's china.jpg and flower.jpg
CAMERAS = ("Canon EOS R8", "Nikon Z5", "Sony A7 III")
SMALL, CAMERA_SIZE = 640, 2200  # pixels of the longest side, at most
EXIF_MODEL, EXIF_DATE, EXIF_DESCRIPTION = 0x0110, 0x0132, 0x010E
QUIET = dict(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
VERSION = 1  # of what the functions here write
BAD = ("truncated", "empty", "text", "link", "folder")  # nothing to be seen in these
ODD = ("cmyk", "palette", "16 bits", "same name")  # images, but not as one expects them
MANIFEST, TOKENIZER = "_samples.json", "_tokenizer.json"  # readers pass over a leading _


@dataclass(frozen=True)
class Made:
    """What lies in a folder now; fresh: whether it was made just now."""

    folder: Path
    files: int
    bytes: int
    fresh: bool

    def __str__(self) -> str:
        what = f"{self.files} files, {self.bytes / 1e6:.0f} MB, in {shown(self.folder)}"
        return what if self.fresh else f"{what} (made earlier)"


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


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


def texts(folder: Path, count: int, shards: int = 16, seed: int = 42) -> Made:
    """COUNT problems in FOLDER/NN.parquet: id, question, answer, number; a tokenizer."""
    arguments = dict(kind="texts", version=VERSION, count=count, shards=shards, seed=seed)
    if made := made_earlier(folder, arguments):
        return made
    draft = new_draft(folder)
    rng, limits = random.Random(seed), [count * k // shards for k in range(shards + 1)]
    for k in track(range(shards), f"{count} problems", **QUIET):
        rows = []
        for number in range(limits[k], limits[k + 1]):
            one = problem(rng)
            rows.append(
                dict(id=number, question=one.question, answer=one.answer, number=one.number)
            )
        pq.write_table(pa.Table.from_pylist(rows), draft / f"{k:02}.parquet")
    tokenizer().save(str(draft / TOKENIZER))
    return finished(draft, folder, arguments)


def tokenizer(examples: int = 4000, vocabulary: int = 640) -> Tokenizer:
    """A byte-pair encoding of problems; words keep their leading space, digits stand alone."""
    rng = random.Random(1)
    corpus = ["\n".join((p.question, p.answer)) for p in (problem(rng) for _ in range(examples))]
    words = Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s")
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>", "<|user|>", "<|assistant|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(corpus, trainer)
    return made


def new_draft(folder: Path) -> Path:
    """An empty folder beside FOLDER, which becomes FOLDER when it is complete."""
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    return draft


def made_earlier(folder: Path, arguments: dict) -> Made | None:
    """None where FOLDER does not exist or was made with other arguments.

    Raises FileExistsError for a folder that is not ours: nobody's files are deleted.
    """
    manifest = folder / MANIFEST
    if manifest.is_file():
        return described(folder, False) if json.loads(manifest.read_text()) == arguments else None
    if folder.exists():
        raise FileExistsError(f"{shown(folder)} exists and was not made by this command")
    return None


def described(folder: Path, fresh: bool) -> Made:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST]
    return Made(folder, len(files), sum(path.stat().st_size for path in files), fresh)


def finished(draft: Path, folder: Path, arguments: dict) -> Made:
    (draft / MANIFEST).write_text(json.dumps(arguments))
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return described(folder, True)


def everything() -> list[Made]:
    """What the lessons read when they are given no --input."""
    return [
        images(FOLDER / "images", 300),
        images(FOLDER / "photos", 200, CAMERA_SIZE),
        texts(FOLDER / "texts", 200_000),
        dirty(FOLDER / "dirty", 240, 36),
    ]


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Output = Annotated[Path | None, typer.Option(help="A folder; the default is under out/samples.")]
Count = Annotated[int, typer.Option(min=1)]


def report(made: Callable[[], Made | list[Made]]) -> None:
    try:
        result = made()
    except OSError as error:
        print(f"workshop.samples: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    for one in result if isinstance(result, list) else [result]:
        print(one)


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Make sample data; without a command, all that the lessons read."""
    if context.invoked_subcommand is None:
        report(everything)


@app.command("images")
def images_command(
    count: Count = 300,
    size: Annotated[int, typer.Option(min=16, max=8000, help="Longest side, pixels.")] = SMALL,
    output: Output = None,
    seed: int = 42,
) -> None:
    """JPEG files with EXIF, in one folder a label, and a catalogue of them beside the folder."""
    report(lambda: images((output or FOLDER / "images").resolve(), count, size, seed))


@app.command("texts")
def texts_command(
    count: Count = 200_000,
    shards: Annotated[int, typer.Option(min=1)] = 16,
    output: Output = None,
    seed: int = 42,
) -> None:
    """Parquet shards of grade-school problems, and a tokenizer for them."""
    report(lambda: texts((output or FOLDER / "texts").resolve(), count, shards, seed))


@app.command("dirty")
def dirty_command(
    count: Annotated[int, typer.Option(min=2)] = 240,
    bad: Annotated[int, typer.Option(min=0)] = 36,
    output: Output = None,
    seed: int = 42,
) -> None:
    """As images, but BAD of them broken or unusual; the catalogue says which, and how."""
    if bad >= count:
        raise typer.BadParameter(f"--bad is at most {count - 1}: fewer than --count")
    report(lambda: dirty((output or FOLDER / "dirty").resolve(), count, bad, seed=seed))


if __name__ == "__main__":
    app(prog_name="python -m workshop.samples")
