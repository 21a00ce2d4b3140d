"""Temple or flower? By the features that ResNet-18 finds in photographs, in a loop or with torch's
DataLoader, whose processes decode photographs while this one runs the model.

    python ray_data/02_inference_baseline.py --method dataloader

Last line: 128 images in 8.40 s (15.2 images/s), answer flower:73,temple:71
(`ready` is up to the end of the first batch, which the line leaves out; the answer counts it.)
"""

import random
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

BATCH, FIT = 16, 40  # photographs in a batch; photographs that only the head is fitted on


class Features:
    def __init__(self, filesystem: FileSystem, gpu: bool = False) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)  # the same weights in every process
        self.filesystem, self.device = filesystem, "cuda" if gpu else "cpu"
        self.model = torchvision.models.resnet18().eval().to(self.device)
        self.model.fc = torch.nn.Identity()  # no last layer: 512 features a photograph

    def decode(self, paths: list[str]) -> dict:
        files = (self.filesystem.open_input_file(path) for path in paths)
        photos = [Image.open(file).convert("RGB").resize((224, 224)) for file in files]
        return {"path": paths, "photo": torch.from_numpy(np.stack(photos))}

    @torch.inference_mode()
    def __call__(self, batch: dict) -> dict:
        pixels = batch["photo"].to(self.device).permute(0, 3, 1, 2) / 255
        return {"path": batch["path"], "features": self.model(pixels).cpu().numpy()}


def main(
    images: int = 144,
    input: str = "out/samples/photos",
    output: str = "out/ray_data/02_inference",
    method: str = "loop",
    workers: int = 2,
    gpu: bool = False,
    seed: int = 42,
) -> dict:
    """Tells temples from flowers on IMAGES photographs; METHOD is loop or dataloader."""
    if method not in ("loop", "dataloader") or gpu > torch.cuda.is_available():
        raise typer.BadParameter("--method is loop or dataloader, and --gpu needs a GPU.")
    uri = input if "://" in input else Path(input).resolve().as_uri()
    filesystem, root = FileSystem.from_uri(uri)
    found = filesystem.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
    paths = sorted(f.path for f in found if f.path.endswith(".jpg"))
    if not BATCH < images <= len(paths) - FIT or workers < 1:
        there = f"{len(paths)} images in {input}, {FIT} of them for the head: make samples"
        raise typer.BadParameter(f"--images starts at {BATCH + 1}, --workers at 1; {there}")
    paths = random.Random(seed).sample(paths, FIT + images)
    features, labels = Features(filesystem), [Path(path).parent.name for path in paths]
    known = features(features.decode(paths[:FIT]))["features"]
    head = LogisticRegression(max_iter=1000).fit(known, labels[:FIT])

    start = time.perf_counter()
    features = Features(filesystem, gpu)
    decode, chunks = features.decode, [paths[k : k + BATCH] for k in range(FIT, len(paths), BATCH)]
    loader = torch.utils.data.DataLoader(chunks, None, num_workers=workers, collate_fn=decode)
    results = map(features, map(decode, chunks) if method == "loop" else loader)
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
    items = images - len(found[0]["path"])
    print(f"all {images} images in {ready + took:.1f} s, accuracy {right / images:.1%}")
    print(f"{items} images in {took:.2f} s ({items / took:.1f} images/s), answer {answer}")
    figures = dict(items=items, unit="images", seconds=took, ready_seconds=ready, answer=answer)
    return figures | dict(total_seconds=ready + took, accuracy=right / images)


if __name__ == "__main__":
    typer.run(main)
