"""Exercise 5: a counter that survives.

Make Counter an actor that Ray starts again when its process dies, and whose calls Ray then repeats.
A new process goes on from the checkpoint; an image that is added twice counts once; and the
checkpoint is never half written: write a second file, then put it in the place of the first.

    make check EX=ray_core/05
"""

import json  # noqa: F401
import os
from pathlib import Path

import ray  # noqa: F401


class Counter:
    def __init__(self, file: Path) -> None:
        self.file, self.pixels = file, {}
        raise NotImplementedError("fill self.pixels from the file, where there is one")

    def add(self, image: str, pixels: int) -> None:
        """Counts an image, once; returns when it is in the file."""
        raise NotImplementedError("add it to self.pixels, write a second file, replace the first")

    def total(self) -> int:
        return sum(self.pixels.values())

    def pid(self) -> int:
        return os.getpid()
