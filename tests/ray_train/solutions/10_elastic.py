from pathlib import Path
from tempfile import TemporaryDirectory

import ray.train
from ray.train import Checkpoint, ScalingConfig


def scaling(most: int) -> ScalingConfig:
    return ScalingConfig(num_workers=(1, most), elastic_resize_monitor_interval_s=2)


def train(config: dict) -> None:
    context, first = ray.train.get_context(), 0
    rank, workers = context.get_world_rank(), context.get_world_size()
    if checkpoint := ray.train.get_checkpoint():
        first = int(Path(checkpoint.path, "epoch").read_text()) + 1
    for epoch in range(first, config["epochs"]):
        for number in config["numbers"][rank::workers]:
            config["learn"](epoch, number)
        with TemporaryDirectory() as folder:
            kept = None
            if rank == 0:
                Path(folder, "epoch").write_text(str(epoch))
                kept = Checkpoint.from_directory(folder)
            ray.train.report({"epoch": epoch}, checkpoint=kept)
