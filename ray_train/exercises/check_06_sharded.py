import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.testing._internal.distributed.fake_pg import FakeStore

PARAMETERS, GPUS = 70_000_000_000, 64
WHOLE = {"ddp": 16, "zero1": 4, "zero2": 2, "zero3": 0}  # bytes of the 16 that every GPU holds
CUT = {
    "ddp": "every GPU holds all three, however many there are: 16 bytes a parameter",
    "zero1": "only the state is cut into shards",
    "zero2": "state and gradients are cut into shards, the parameters are not",
    "zero3": "everything is cut into shards",
}
WORKERS = 4


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(16, 64)
        self.layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(3))
        self.last = nn.Linear(64, 8)


def check(attempt) -> str:
    for strategy, whole in WHOLE.items():
        right = PARAMETERS * (whole + (16 - whole) / GPUS)
        found = attempt.bytes_per_gpu(PARAMETERS, GPUS, strategy)
        assert isinstance(found, int | float), f"{strategy}: a number is wanted, not {found!r}"
        assert abs(found - right) < 1e-6 * right, (
            f"{strategy}, 70B on 64 GPUs: {found / 1e9:.1f} GB is not right: {CUT[strategy]}"
        )
    # One process that believes to be the first of four: enough for shards, which need no messages.
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=WORKERS)
    try:
        check_shards(attempt.shard)
    finally:
        dist.destroy_process_group()
    return "70B on 64 GPUs: 1120.0, 293.1, 155.3 and 17.5 GB; and a quarter of the model a worker"


def check_shards(shard) -> None:
    model = Model()
    before = sum(p.nbytes for p in model.parameters())
    mesh = init_device_mesh("cpu", (WORKERS,))
    try:
        optimizer = shard(model, mesh)
    except TypeError as error:
        assert "Invariant" not in str(error), "the layers come first, and the model after them"
        raise
    whole = [name for name, p in model.named_parameters() if not isinstance(p, DTensor)]
    assert len(whole) < len(list(model.parameters())), "nothing is sharded: fully_shard(...)"
    assert not whole, f"{', '.join(whole)}: still whole on every worker: fully_shard(model) as well"
    assert all(isinstance(layer, FSDPModule) for layer in model.layers), (
        "the model is one group, and is whole on every worker in each step: shard its layers first"
    )
    assert isinstance(model, FSDPModule), "what is outside the layers needs fully_shard(model)"
    held = sum(p.to_local().nbytes for p in model.parameters())
    assert held == before / WORKERS, f"a worker holds {held} of {before} bytes, not a quarter"
    assert isinstance(optimizer, torch.optim.AdamW), "shard returns no AdamW"
    known = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert known == {id(p) for p in model.parameters()}, (
        "the optimizer has the whole parameters from before: make it after fully_shard"
    )
