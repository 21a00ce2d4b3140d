"""The handwritten digits that ray_serve serves: pictures as PNG, and the classifiers.

A classifier is trained on first use, in seconds, and kept in the user's cache folder.
"""

import base64
import functools
import io
import os
from pathlib import Path

import numpy as np
import platformdirs
import torch
import typer
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

VERSION = 1  # of what this module trains
TRAIN, LARGEST = 1000, 1024  # pictures to learn from; pixels that a picture may be wide or high
STEPS, RATE = {"convnet": 400, "wide": 300}, {"convnet": 3e-3, "wide": 1e-2}


def unshuffled() -> tuple[torch.Tensor, torch.Tensor]:
    """scikit-learn's 1,797 digits in its own order: pixels (n, 1, 8, 8) from 0 to 1, labels."""
    from sklearn.datasets import load_digits  # a second to import, which a replica need not spend

    found = load_digits()
    return torch.tensor(found.images).float()[:, None] / 16, torch.as_tensor(found.target)


@functools.cache
def dataset() -> tuple[torch.Tensor, torch.Tensor]:
    """The same in a fixed order of chance."""
    (pixels, labels), chance = unshuffled(), torch.Generator().manual_seed(0)
    order = torch.randperm(1797, generator=chance)
    return pixels[order], labels[order]


def as_png(pixels: torch.Tensor) -> bytes:
    """A picture of 32 by 32 pixels in shades of gray, of pixels (1, 8, 8) from 0 to 1."""
    gray = Image.fromarray((pixels[0].numpy() * 255).round().astype(np.uint8))
    file = io.BytesIO()
    gray.resize((32, 32), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


def as_pixels(png: bytes) -> torch.Tensor:
    """Pixels (1, 8, 8) from 0 to 1 of a PNG picture; raises ValueError for anything else."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if max(image.size) > LARGEST:
                raise ValueError(f"more than {LARGEST} pixels wide or high")
            gray = image.convert("L").resize((8, 8), Image.Resampling.BOX)
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise ValueError("png is not a PNG picture, or not a whole one") from None
    return torch.from_numpy(np.asarray(gray, dtype=np.float32)[None] / 255)


def requests(count: int, seed: int) -> list[dict]:
    """COUNT bodies {"id": .., "png": base64} with digits that no classifier has learned from.

    Raises typer.BadParameter for a SEED that NumPy does not take.
    """
    if seed < 0:
        raise typer.BadParameter("--seed starts at 0")
    pixels, _ = dataset()
    rows = np.random.default_rng(seed).integers(TRAIN, len(pixels), count)
    pictures = {row: base64.b64encode(as_png(pixels[row])).decode() for row in set(rows.tolist())}
    return [dict(id=number, png=pictures[row]) for number, row in enumerate(rows.tolist())]


def network(kind: str) -> torch.nn.Module:
    """convnet: 6,090 weights. wide: 34 million, so that reading them is most of its work."""
    layer = torch.nn
    if kind == "wide":
        wide = layer.Linear(4096, 4096), layer.ReLU(), layer.Linear(4096, 4096), layer.ReLU()
        first = layer.Flatten(), layer.Linear(64, 4096), layer.ReLU()
        return layer.Sequential(*first, *wide, layer.Linear(4096, 10))
    first, second = (layer.Conv2d(a, b, 3, padding=1) for a, b in ((1, 16), (16, 32)))
    relu, pool, last = layer.ReLU(), layer.MaxPool2d(2), layer.Linear(32 * 4, 10)
    return layer.Sequential(first, relu, pool, second, relu, pool, layer.Flatten(), last)


def train(kind: str, seed: int = 0) -> torch.nn.Module:
    """A network of that kind, trained; the caller's random state stays as it is."""
    torch.set_num_threads(1)
    pixels, labels = dataset()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = learner = network(kind)
        if kind == "wide":  # its last layer learns all there is to learn, in seconds
            learner, hidden = model[-1], model[:-1].requires_grad_(False)
            pixels = hidden(pixels[:TRAIN])
        optimizer = torch.optim.AdamW(learner.parameters(), RATE[kind])
        for _ in range(STEPS[kind]):
            rows = torch.randint(TRAIN, (128,))
            loss = cross_entropy(learner(pixels[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def cached(kind: str, seed: int = 0) -> Path:
    """The file with the classifier's weights, which is trained first if it is not there yet."""
    name = f"digits-{kind}-{seed}-v{VERSION}.safetensors"
    file = Path(platformdirs.user_cache_dir("ray-workshop"), name)
    if not file.is_file():
        print(f"training the {kind} classifier once, into {file.parent} ...", flush=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        save_file(train(kind, seed).state_dict(), draft)
        draft.replace(file)
    return file


def classifier(kind: str = "convnet", seed: int = 0) -> torch.nn.Module:
    """The trained classifier: pixels (n, 1, 8, 8) to scores (n, 10). Uses one torch thread."""
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        model = network(kind)
    model.load_state_dict(load_file(cached(kind, seed)))
    return model.eval().requires_grad_(False)
