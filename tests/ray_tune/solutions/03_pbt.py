from pathlib import Path

import torch


def keep(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Adam, epoch: int) -> None:
    state = dict(model=model.state_dict(), optimizer=optimizer.state_dict(), epoch=epoch)
    torch.save(state, folder / "state.pt")


def resume(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Adam, config: dict) -> int:
    state = torch.load(folder / "state.pt", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    for group in optimizer.param_groups:
        group["lr"] = config["rate"]
    return state["epoch"] + 1
