import inspect
import logging
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from pyarrow.fs import FileSystem
from sklearn.datasets import load_sample_images

import ray

SERVER = """
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
input(f"{server.get_host_and_port()[1]}\\n")
"""
KEY = re.compile(r"access_key|secret_key|AWS_\w*KEY|S3FileSystem\(|endpoint", re.IGNORECASE)


def rows(uri: str) -> dict[str, float]:
    filesystem, root = FileSystem.from_uri(uri)
    found = pq.read_table(root, filesystem=filesystem).to_pylist()
    for row in found:
        assert set(row) == {"path", "brightness"}, (
            f"the columns are {', '.join(sorted(row))}, not path and brightness"
        )
    measured = {Path(row["path"]).name: row["brightness"] for row in found}
    assert len(measured) == len(found), (
        'a second call adds its rows to those of the first: mode="overwrite" replaces them'
    )
    return measured


def check(attempt) -> str:
    if "NotImplementedError" in attempt.measure.__code__.co_names:
        raise NotImplementedError
    code = Path(inspect.getsourcefile(attempt.measure)).read_text().split('"""', 2)[-1]
    assert not KEY.search(code), (
        "keys and addresses come from the environment, not from the program"
    )
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-uc", SERVER], stdin=pipe, stdout=pipe, stderr=quiet
        ) as server,
    ):
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        os.environ |= dict(AWS_ENDPOINT_URL=url, AWS_ENDPOINT_URL_S3=url, no_proxy="127.0.0.1")
        os.environ |= dict(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")  # noqa: S106
        os.environ |= dict(AWS_DEFAULT_REGION="us-east-1")
        s3 = boto3.client("s3")
        for bucket in ("photos", "measured"):
            s3.create_bucket(Bucket=bucket)
        source, target = Path(folder) / "in", Path(folder) / "out"
        source.mkdir()
        right = {}
        for number, size in enumerate((90, 120, 150)):
            path = source / f"{number}.png"
            Image.fromarray(load_sample_images().images[number % 2][:size, : 2 * size]).save(path)
            s3.upload_file(str(path), "photos", f"in/{path.name}")
            right[path.name] = float(np.asarray(Image.open(path)).mean())

        ray.init(num_cpus=2, log_to_driver=False)
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        ray.data.DataContext.get_current().enable_progress_bars = False
        attempt.measure(str(source), str(target))
        assert target.is_dir() and any(target.iterdir()), (
            "measure() wrote nothing to a local folder"
        )
        assert rows(target.as_uri()) == right, "the local rows are not the means of the images"
        try:
            for _ in range(2):
                attempt.measure("s3://photos/in", "s3://measured/run")
        except (OSError, ValueError, ray.exceptions.RayError) as error:
            name = type(error).__name__
            raise AssertionError(f"it works on folders, but on s3:// it ends in {name}") from None
        assert "Contents" in s3.list_objects_v2(Bucket="measured"), (
            "measure() wrote nothing to the bucket: is the target's s3:// passed on as it is?"
        )
        assert rows("s3://measured/run") == right, "the bucket's rows are not those of the folder"
        server.kill()
    return "the same rows from a folder and from a bucket, and no key in the program"
