from torch.nn import Module
from torch.utils.data import DataLoader

from ray.train.torch import prepare_data_loader, prepare_model


def prepared(model: Module, loader: DataLoader) -> tuple[Module, DataLoader]:
    return prepare_model(model), prepare_data_loader(loader)


def start_epoch(loader: DataLoader, epoch: int) -> None:
    loader.sampler.set_epoch(epoch)
