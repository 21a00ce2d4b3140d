import tempfile
from types import SimpleNamespace

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import ray
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

SAMPLES, EPOCHS, WORKERS = 12, 2, 2


def train(config: dict) -> dict:
    attempt, data = SimpleNamespace(**config), TensorDataset(torch.arange(float(SAMPLES))[:, None])
    loader = DataLoader(data, SAMPLES // 2 // WORKERS, shuffle=True)
    given = attempt.prepared(torch.nn.Linear(1, 1), loader)
    assert isinstance(given, tuple) and len(given) == 2, "prepared() returns the model and a loader"
    model, loader = given
    assert isinstance(loader.sampler, DistributedSampler), (
        "every worker would see all samples: prepare_data_loader deals them out"
    )
    orders = []
    for epoch in range(EPOCHS):
        attempt.start_epoch(loader, epoch)
        seen = [int(x) for (batch,) in loader for x in batch]
        everyone = [None] * WORKERS
        dist.all_gather_object(everyone, seen)
        orders.append(everyone)
    return dict(orders=orders, averaged=isinstance(model, DistributedDataParallel))


def check(attempt) -> str:
    epochs = []
    attempt.start_epoch(SimpleNamespace(sampler=SimpleNamespace(set_epoch=epochs.append)), 3)
    assert epochs == [3], (
        "start_epoch() does not reach the sampler: loader.sampler.set_epoch(epoch)"
    )
    ray.init(num_cpus=WORKERS, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        trainer = TorchTrainer(
            train,
            train_loop_config=dict(prepared=attempt.prepared, start_epoch=attempt.start_epoch),
            scaling_config=ScalingConfig(num_workers=WORKERS),
            run_config=RunConfig(storage_path=folder),
        )
        try:
            found = trainer.fit().return_value
        except Exception as error:
            failures = list(getattr(error, "worker_failures", {}).values())
            raise (failures[0] if failures else error) from None
    assert found["averaged"], "the workers' gradients are not averaged: prepare_model"
    for workers in found["orders"]:
        everything = sorted(sample for seen in workers for sample in seen)
        assert everything == list(range(SAMPLES)), (
            "in one epoch every sample belongs to one worker, once: prepare_data_loader"
        )
    assert found["orders"][0] != found["orders"][1], "both epochs have the same order"
    return f"{WORKERS} workers share {SAMPLES} samples, in a new order in every epoch"
