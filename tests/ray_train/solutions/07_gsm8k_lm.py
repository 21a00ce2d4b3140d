"""A solution of exercise 7."""

from collections.abc import Callable

import torch


def part_loss(token_losses: torch.Tensor, workers: int, add_up: Callable) -> torch.Tensor:
    return token_losses.sum() * workers / add_up(len(token_losses))
