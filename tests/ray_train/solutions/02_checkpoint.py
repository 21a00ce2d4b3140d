import tempfile
from pathlib import Path

import torch

import ray.train


def train(config: dict) -> torch.Tensor:
    torch.manual_seed(0)
    inputs = torch.randn(64, 8)
    dropout = torch.nn.Dropout(config["dropout"])
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), dropout, torch.nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=config["momentum"])
    first = 0
    if found := ray.train.get_checkpoint():
        with found.as_directory() as folder:
            state = torch.load(Path(folder, "state.pt"), weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        first = state["epoch"] + 1
    for epoch in range(first, config["epochs"]):
        loss = (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = dict(model=model.state_dict(), optimizer=optimizer.state_dict())
        state |= dict(random=torch.get_rng_state(), epoch=epoch)
        with tempfile.TemporaryDirectory() as folder:
            torch.save(state, Path(folder, "state.pt"))
            checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"loss": loss.item()}, checkpoint=checkpoint)
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()
