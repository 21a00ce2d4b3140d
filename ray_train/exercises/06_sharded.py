"""Exercise 6: what a GPU holds, first on paper, then for real.

Mixed precision with AdamW: a parameter takes 2 bytes, its gradient 2, and the optimizer's state 12
(the parameter in 32 bits and two moments). "ddp" cuts nothing into shards, "zero1" the state,
"zero2" state and gradients, "zero3" (FSDP2 too) everything.

Then shard a model: every layer of model.layers is a group of its own, so that only one layer at a
time is whole; what is outside the layers goes into the model's own group.

    make check EX=ray_train/06
"""

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard  # noqa: F401


def bytes_per_gpu(parameters: int, gpus: int, strategy: str) -> float:
    """Parameters, gradients and state on one of the GPUs."""
    raise NotImplementedError


def shard(model: torch.nn.Module, mesh: DeviceMesh) -> torch.optim.AdamW:
    """Shards the model over the mesh and returns an AdamW for its shards."""
    raise NotImplementedError
