"""Sample data for ray_data and later stages, made here: no download, the same for every seed."""

from workshop.samples.folders import FOLDER, Made
from workshop.samples.pictures import (
    BAD,
    CAMERA_SIZE,
    EXIF_DATE,
    EXIF_DESCRIPTION,
    EXIF_MODEL,
    LABELS,
    ODD,
    SMALL,
    dirty,
    images,
)
from workshop.samples.shards import TOKENIZER, texts, tokenizer

__all__ = [
    "BAD",
    "CAMERA_SIZE",
    "EXIF_DATE",
    "EXIF_DESCRIPTION",
    "EXIF_MODEL",
    "FOLDER",
    "LABELS",
    "ODD",
    "SMALL",
    "TOKENIZER",
    "Made",
    "dirty",
    "everything",
    "images",
    "texts",
    "tokenizer",
]


def everything() -> list[Made]:
    """What the lessons read when they are given no --input."""
    return [
        images(FOLDER / "images", 300),
        images(FOLDER / "photos", 200, CAMERA_SIZE),
        texts(FOLDER / "texts", 200_000),
        dirty(FOLDER / "dirty", 240, 36),
    ]
