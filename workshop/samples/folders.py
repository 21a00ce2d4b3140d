"""Folders of sample data: made once, complete or not there, and nobody's files are deleted."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from workshop.lessons import ROOT

FOLDER = ROOT / "out" / "samples"
MANIFEST = "_samples.json"  # readers pass over a leading _
VERSION = 1  # of what the functions of this package write
QUIET = dict(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


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
