import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard


def bytes_per_gpu(parameters: int, gpus: int, strategy: str) -> float:
    whole, shards = {"ddp": (16, 0), "zero1": (4, 12), "zero2": (2, 14), "zero3": (0, 16)}[strategy]
    return parameters * (whole + shards / gpus)


def shard(model: torch.nn.Module, mesh: DeviceMesh) -> torch.optim.AdamW:
    for layer in model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return torch.optim.AdamW(model.parameters())
