"""Temple or flower? By the features that ResNet-18 finds in photographs, on Ray Data in two stages:
read_images decodes, one actor holds the model, and all the pixels move through the object store.

    python ray_data/02_inference_pitfall.py

Last line: 126 images in 7.64 s (16.5 images/s), answer flower:73,temple:71
(`ready` is up to the end of the first batch, which the line leaves out; the answer counts it.)
"""

import random
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
import typer
from PIL import Image
from pyarrow import Table, parquet
from pyarrow.fs import FileSelector, FileSystem
from sklearn.linear_model import LogisticRegression

import ray

BATCH, FIT = 16, 40  # photographs in a batch; photographs that only the head is fitted on


class Features:
    def __init__(self, gpu: bool = False) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)  # the same weights in every process
        self.device = "cuda" if gpu else "cpu"
        self.model = torchvision.models.resnet18().eval().to(self.device)
        self.model.fc = torch.nn.Identity()  # no last layer: 512 features a photograph

    @torch.inference_mode()
    def __call__(self, batch: dict) -> dict:
        photos = [Image.fromarray(image).resize((224, 224)) for image in batch["image"]]
        pixels = torch.from_numpy(np.stack(photos)).to(self.device).permute(0, 3, 1, 2) / 255
        sizes = np.array([image.nbytes for image in batch["image"]])
        features = self.model(pixels).cpu().numpy()
        return {"path": batch["path"], "features": features, "size": sizes}


def main(
    images: int = 144,
    input: str = "out/samples/photos",
    output: str = "out/ray_data/02_inference",
    gpu: bool = False,
    seed: int = 42,
) -> dict:
    """Tells temples from flowers on IMAGES photographs."""
    uri = input if "://" in input else Path(input).resolve().as_uri()
    filesystem, root = FileSystem.from_uri(uri)
    found = filesystem.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
    paths = sorted(f.path for f in found if f.path.endswith(".jpg"))
    if not BATCH < images <= len(paths) - FIT:
        there = f"{len(paths)} images in {input}, {FIT} of them for the head: make samples"
        raise typer.BadParameter(f"--images starts at {BATCH + 1}; {there}")
    paths = random.Random(seed).sample(paths, FIT + images)
    labels = [Path(path).parent.name for path in paths]
    files = (filesystem.open_input_file(path) for path in paths[:FIT])
    known = {"path": paths, "image": [np.array(Image.open(file).convert("RGB")) for file in files]}
    head = LogisticRegression(max_iter=1000).fit(Features()(known)["features"], labels[:FIT])

    start = time.perf_counter()
    ray.init()
    if gpu and not ray.cluster_resources().get("GPU"):
        raise typer.BadParameter("Ray has no GPU here: leave --gpu out.")
    ray.data.DataContext.get_current().enable_progress_bars = sys.stdout.isatty()
    given = dict(filesystem=filesystem, include_paths=True, mode="RGB")
    photos = ray.data.read_images(paths[FIT:], **given)
    pool = ray.data.ActorPoolStrategy(size=1)
    each = dict(fn_constructor_args=(gpu,), num_cpus=0.5, num_gpus=int(gpu))
    photos = photos.map_batches(Features, batch_size=BATCH, compute=pool, **each)
    results = iter(photos.iter_batches(batch_size=None, prefetch_batches=0))
    found, ready = [next(results)], time.perf_counter() - start
    print(f"ready in {ready:.1f} s")
    found += results
    took = time.perf_counter() - start - ready

    path, features = (np.concatenate([f[key] for f in found]) for key in ("path", "features"))
    rows = {"path": path, "label": head.predict(features), "features": list(features)}
    table = Table.from_pydict(rows).sort_by("path")
    parquet.write_to_dataset(table, output, basename_template="labels-{i}.parquet")
    path, label, _ = parquet.read_table(f"{output}/labels-0.parquet").to_pydict().values()
    right = sum(name == Path(p).parent.name for p, name in zip(path, label, strict=True))
    answer = ",".join(f"{name}:{label.count(name)}" for name in sorted(set(label)))
    moved = sum(int(f["size"].sum()) for f in found) / 1e6
    print(f"{moved:.0f} MB of pixels went through the object store")
    items = images - len(found[0]["path"])
    print(f"all {images} images in {ready + took:.1f} s, accuracy {right / images:.1%}")
    print(f"{items} images in {took:.2f} s ({items / took:.1f} images/s), answer {answer}")
    figures = dict(items=items, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(total_seconds=ready + took, accuracy=right / images, moved_mb=moved)


if __name__ == "__main__":
    typer.run(main)
