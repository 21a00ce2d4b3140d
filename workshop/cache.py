"""Models that are trained once, on first use, and kept in the user's cache folder."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import platformdirs


def fingerprint(model: str) -> str:
    """Eight hexadecimal digits of the weights in a folder, or else of a name on the hub."""
    found = hashlib.sha256(b"" if Path(model).is_dir() else model.encode())
    for file in sorted(Path(model).glob("*.safetensors")):
        with file.open("rb") as weights:
            found.update(hashlib.file_digest(weights, "sha256").digest())
    return found.hexdigest()[:8]


def trained(name: str, train: Callable[[Path], None]) -> Path:
    """The folder NAME of the cache, which train(folder) fills first if it is not there yet."""
    folder = Path(platformdirs.user_cache_dir("ray-workshop"), name)
    if not folder.is_dir():
        print(f"training once, into {folder} ...", flush=True)
        draft = folder.with_name(f"{name}.{os.getpid()}")
        try:
            draft.mkdir(parents=True)
            train(draft)
            if not folder.is_dir():  # else another process was quicker
                draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder
