import copy
import tempfile
from pathlib import Path

import torch

OLD, NEW = 0.1, 0.025


def network(seed: int) -> tuple[torch.nn.Module, torch.optim.Adam]:
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    groups = [dict(params=layer.parameters(), lr=OLD) for layer in (model[0], model[2])]
    return model, torch.optim.Adam(groups)


def steps(model: torch.nn.Module, optimizer: torch.optim.Adam, count: int) -> None:
    rows = torch.arange(32).reshape(8, 4) / 32
    for _ in range(count):
        loss = (model(rows) - rows.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def check(attempt) -> str:
    parent, its_optimizer = network(0)
    steps(parent, its_optimizer, 3)
    child, optimizer = network(1)
    with tempfile.TemporaryDirectory() as folder:
        attempt.keep(Path(folder), parent, its_optimizer, 7)
        assert any(Path(folder).iterdir()), "after keep() the folder is empty"
        known = copy.deepcopy((parent, its_optimizer.state_dict()))
        steps(parent, its_optimizer, 2)
        epoch = attempt.resume(Path(folder), child, optimizer, dict(rate=NEW))
    parent, state = known
    assert same(child, parent), "the child's weights are not those that the checkpoint had"
    assert epoch == 8, f"epoch 7 was over, and the child begins with epoch {epoch}, not 8"
    kept = optimizer.state_dict()["state"]
    assert kept, "the child's optimizer is new: Adam's moments are lost"
    assert all(
        torch.equal(kept[key][name], value)
        for key, values in state["state"].items()
        for name, value in values.items()
    ), "the child's optimizer has other moments than the parent's had"
    rates = {group["lr"] for group in optimizer.param_groups}
    assert OLD not in rates, (
        f"the child learns with its parent's rate {OLD}, and nothing would ever be explored: set"
        " it after load_state_dict(), in every group"
    )
    assert rates == {NEW}, f"the child's learning rates are {sorted(rates)}, not {NEW}"
    steps(child, optimizer, 1)
    assert not same(child, parent), (
        "the child does not learn: is its optimizer that of another model?"
    )
    return "the weights and moments of the parent, and a learning rate of its own"
