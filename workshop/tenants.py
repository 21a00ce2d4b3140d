"""Twenty tenants, each with a digits classifier of its own: 4.4 million weights, 17 MB.

A tenant's layers are drawn from its number and stay as they are; only the last one is fitted, to
half of the pictures, by least squares. That takes half a second and finds 98 digits of 100.
"""

import os
from pathlib import Path

import numpy as np
import platformdirs
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import one_hot

from workshop import digits

VERSION = 1  # of what this module fits
TENANTS, WIDTH, LEARNS = 20, 2048, 500  # LEARNS: pictures that a tenant learns from
NAMES = tuple(f"tenant-{number:02}" for number in range(TENANTS))
SKEW = 1.0  # of the requests: the tenant of rank r asks 1 / r ** SKEW times as often as the first


def network() -> torch.nn.Module:
    layer, relu = torch.nn.Linear, torch.nn.ReLU()
    hidden = torch.nn.Flatten(), layer(64, WIDTH), relu, layer(WIDTH, WIDTH), relu
    return torch.nn.Sequential(*hidden, layer(WIDTH, 10))


def fit(seed: int) -> torch.nn.Module:
    """A tenant's network; the caller's random state stays as it is."""
    pixels, labels = digits.dataset()
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        model, rows = network(), torch.randperm(digits.TRAIN)[:LEARNS]
        seen = torch.cat([model[:-1](pixels[rows]), torch.ones(LEARNS, 1)], 1).double()
        damped = seen.T @ seen + 0.1 * torch.eye(WIDTH + 1)
        wanted = seen.T @ one_hot(labels[rows], 10).double()
        weights = torch.linalg.solve(damped, wanted).float()
        model[-1].weight.copy_(weights[:-1].T)
        model[-1].bias.copy_(weights[-1])
    return model


def folder() -> Path:
    return Path(platformdirs.user_cache_dir("ray-workshop"), f"tenants-v{VERSION}")


def prepare() -> Path:
    """The folder with the twenty tenants' files; those that are not there yet are made first."""
    folder().mkdir(parents=True, exist_ok=True)
    missing = [name for name in NAMES if not (folder() / f"{name}.safetensors").is_file()]
    if missing:
        print(f"fitting {len(missing)} tenants' models once, into {folder()} ...", flush=True)
    for name in missing:
        draft = folder() / f"{name}.{os.getpid()}"
        save_file(fit(1 + NAMES.index(name)).state_dict(), draft)
        draft.replace(folder() / f"{name}.safetensors")
    return folder()


def load(name: str) -> torch.nn.Module:
    """That tenant's classifier, read from its file: pixels (n, 1, 8, 8) to scores (n, 10)."""
    torch.set_num_threads(1)
    model = network()
    model.load_state_dict(load_file(folder() / f"{name}.safetensors"))
    return model.eval().requires_grad_(False)


def requests(count: int, seed: int) -> list[dict]:
    """COUNT times {"id": .., "png": .., "tenant": ..}; few tenants send most of them."""
    pictures, chance = digits.requests(count, seed), np.random.default_rng(seed)
    share = 1 / np.arange(1, TENANTS + 1) ** SKEW
    chosen = chance.permutation(NAMES)[chance.choice(TENANTS, count, p=share / share.sum())]
    return [body | dict(tenant=t) for body, t in zip(pictures, chosen.tolist(), strict=True)]


def label(answer: object) -> object:
    """The answer without `loaded`: what every service must say, however it keeps its models."""
    if not isinstance(answer, dict):
        return answer
    return {name: value for name, value in answer.items() if name != "loaded"}
