"""Sample data: as described, the same for a seed, made once, and nobody's files are deleted."""

import re
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from PIL import Image
from tokenizers import Tokenizer

from workshop import samples


def contents(folder) -> dict:
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_images_are_what_their_catalogue_says(tmp_path) -> None:
    made = samples.images(tmp_path / "images", 6, 100)
    assert made.fresh and made.files == 6
    rows = pq.read_table(tmp_path / "images.parquet").to_pylist()
    assert sorted(row["file"] for row in rows) == sorted(
        str(path.relative_to(made.folder)) for path in made.folder.rglob("*.jpg")
    )
    for row in rows:
        with Image.open(made.folder / row["file"]) as picture:
            assert picture.format == "JPEG" and picture.mode == "RGB"
            assert picture.size == (row["width"], row["height"])
            assert 60 <= max(picture.size) <= 100
            exif = picture.getexif()
            assert exif[samples.EXIF_MODEL] == row["camera"]
            assert exif[samples.EXIF_DATE] == row["taken"].strftime("%Y:%m:%d %H:%M:%S")
            assert exif[samples.EXIF_DESCRIPTION] == row["label"] == row["file"].split("/")[0]
    assert len({(row["width"], row["height"]) for row in rows}) > 1
    assert {row["label"] for row in rows} == set(samples.LABELS)


def test_texts_are_problems_that_the_tokenizer_reads(tmp_path) -> None:
    made = samples.texts(tmp_path / "texts", 50, shards=3)
    shards = sorted(made.folder.glob("*.parquet"))
    assert len(shards) == 3
    rows = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
    assert [row["id"] for row in rows] == list(range(50))
    tokenizer = Tokenizer.from_file(str(made.folder / samples.TOKENIZER))
    for row in rows:
        assert row["answer"].endswith(f"\n#### {row['number']}")
        text = row["question"] + "\n" + row["answer"]
        tokens = tokenizer.encode(text).tokens
        assert not [token for token in tokens if re.search(r"\d.|.\d", token.lstrip("Ġ"))], tokens


def test_dirty_files_are_what_their_catalogue_says(tmp_path) -> None:
    kinds = samples.BAD + samples.ODD
    made = samples.dirty(tmp_path / "dirty", 40, 2 * len(kinds), 100)
    rows = pq.read_table(tmp_path / "dirty.parquet").to_pylist()
    assert len({row["file"] for row in rows}) == 40
    for kind in kinds:
        assert sum(row["kind"] == kind for row in rows) == 2, kind
    opened = {}
    for row in rows:
        try:
            with Image.open(made.folder / row["file"]) as picture:
                picture.load()
                opened.setdefault(row["kind"], set()).add(f"{picture.format} {picture.mode}")
        except OSError as error:
            opened.setdefault(row["kind"], set()).add(type(error).__name__)
    assert opened == {
        "": {"JPEG RGB"},
        "same name": {"JPEG RGB"},
        "cmyk": {"JPEG CMYK"},
        "palette": {"PNG P"},
        "16 bits": {"PNG I;16"},
        "truncated": {"OSError"},
        "empty": {"UnidentifiedImageError"},
        "text": {"UnidentifiedImageError"},
        "link": {"FileNotFoundError"},
        "folder": {"IsADirectoryError"},
    }


def dirty(folder, count: int, **more) -> samples.Made:
    return samples.dirty(folder, count, 9, **more)


@pytest.mark.parametrize("make", [samples.images, samples.texts, dirty])
def test_made_once_and_the_same_for_a_seed(make, tmp_path) -> None:
    first = make(tmp_path / "a", 10)
    again = make(tmp_path / "a", 10)
    assert first.fresh and not again.fresh
    assert (first.files, first.bytes) == (again.files, again.bytes)
    make(tmp_path / "b", 10)
    make(tmp_path / "c", 10, seed=7)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")
    assert make(tmp_path / "a", 11).fresh, "more were asked for than there are"
    assert not list(tmp_path.glob(".*")), "a draft was left behind"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("dear")
    command = [sys.executable, "-m", "workshop.samples", "images", "--output", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "was not made by this command" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (tmp_path / "mine.txt").read_text() == "dear"


def test_the_command_says_where_and_how_much(tmp_path) -> None:
    command = [sys.executable, "-m", "workshop.samples", "texts", "--count", "20"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "t")], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(rf"17 files, 0 MB, in {tmp_path}/t\n", done.stdout), done.stdout
