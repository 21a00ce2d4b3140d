"""The same pixels from a bucket as from local files, over a real S3 protocol that checks keys."""

import ast
import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from PIL import Image

from support import SHARED, as_attendee, here, refusal
from workshop.lessons import ROOT
from workshop.runner import run_script

BASELINE, RAY = "ray_data/06_storage_baseline.py", "ray_data/06_storage_ray.py"
LOCAL_BASELINE, LOCAL_RAY = "ray_data/01_images_baseline.py", "ray_data/01_images_ray.py"
PHOTOS = sorted((ROOT / "out/samples/images").rglob("*.jpg"))[::50]
ACTIONS = 5  # so many requests prepare the server; it checks the signature of every later one
SERVER = """
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
input(f"{server.get_host_and_port()[1]}\\n")
"""
both = pytest.mark.parametrize("script", [BASELINE, RAY])


@dataclass(frozen=True)
class Storage:
    env: dict[str, str]
    s3: object

    def keys(self, bucket: str) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [item["Key"] for item in listed if not item["Key"].endswith("/")]

    def rows(self, bucket: str) -> dict[str, np.ndarray]:
        found = []
        for key in self.keys(bucket):
            body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            found += pq.read_table(io.BytesIO(body)).to_pylist()
        images = {
            Path(row["path"]).name: np.frombuffer(row["pixels"], np.uint8).reshape(
                row["height"], row["width"], 3
            )
            for row in found
        }
        assert len(images) == len(found), "a row twice"
        return images


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """An S3 server with the buckets photos (some images in photos/in) and out, and one user."""
    server = subprocess.Popen(
        [sys.executable, "-uc", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": str(ACTIONS)},
    )
    url = f"http://127.0.0.1:{int(server.stdout.readline())}"

    def client(service: str, key: str, secret: str):
        return boto3.client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    anybody, iam = client("s3", "x", "x"), client("iam", "x", "x")
    anybody.create_bucket(Bucket="photos")
    anybody.create_bucket(Bucket="out")
    iam.create_user(UserName="attendee")
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="attendee", PolicyName="buckets", PolicyDocument=policy)
    made = iam.create_access_key(UserName="attendee")["AccessKey"]
    key, secret = made["AccessKeyId"], made["SecretAccessKey"]
    s3 = client("s3", key, secret)
    for path in PHOTOS:
        s3.upload_file(str(path), "photos", f"in/{path.name}")
    env = dict(AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
    yield Storage(env | dict(AWS_DEFAULT_REGION="us-east-1", no_proxy="127.0.0.1"), s3)
    server.kill()
    server.communicate()


def function(script: str, name: str) -> str:
    tree = ast.parse((ROOT / script).read_text())
    nodes = (ast.FunctionDef, ast.ClassDef)
    return next(ast.unparse(n) for n in tree.body if isinstance(n, nodes) and n.name == name)


def test_same_answer_as_lesson_01_on_local_files() -> None:
    loop, bucket = as_attendee(BASELINE).run, as_attendee(RAY).run
    local = here(LOCAL_BASELINE, images=bucket.items, output="out/tests/06_storage")
    answer = str(local["answer"])
    first, second = re.findall(r"from (\w+) to (\w+):\n.*, answer (\d+)$", bucket.stdout, re.M)
    assert first == ("local", "local", answer)
    assert second == ("s3", "s3", answer)
    assert loop.answer == answer

    logs = SHARED.folder.rglob("runtime_env_agent.log")
    assert any('"AWS_SECRET_ACCESS_KEY": "test"' in log.read_text() for log in logs), (
        "Ray no longer logs what a runtime environment sets: say so in the README"
    )


def test_only_the_path_has_changed() -> None:
    for name in ("invert", "Names"):
        assert function(RAY, name) == function(LOCAL_RAY, name)
    read = "ray.data.read_images(paths, filesystem=source, mode='RGB', include_paths=True)"
    assert read in function(RAY, "main") and read in function(LOCAL_RAY, "main")
    assert "s3" not in function(RAY, "main").partition("for source, paths, target, root")[2]
    assert "boto" not in (ROOT / RAY).read_text()


def test_a_bucket_with_keys_of_ones_own(storage, run_alone, ray_alone, tmp_path) -> None:
    """The server refuses what is not signed, so the workers had the keys from the environment."""
    flags = ["--images", str(len(PHOTOS)), "--output", "s3://out/inverted"]
    on_ray = run_alone(RAY, *flags, "--input", "s3://photos/in", env=storage.env)
    assert on_ray.ok, on_ray.error
    assert on_ray.stdout.count("from s3 to s3:") == 1 and "from local" not in on_ray.stdout
    written = storage.rows("out")
    assert written.keys() == {path.name for path in PHOTOS}
    for path in PHOTOS:
        assert (written[path.name] == 255 - np.asarray(Image.open(path).convert("RGB"))).all()
    assert all(re.fullmatch(r"inverted/inverted-\S+\.parquet", key) for key in storage.keys("out"))

    secret = storage.env["AWS_SECRET_ACCESS_KEY"].encode()
    files = [path for path in Path(ray_alone["RAY_TMPDIR"]).rglob("*") if path.is_file()]
    assert any(path.name == "raylet.out" for path in files)
    assert not [path for path in files if secret in path.read_bytes()]

    flags[1] = "3"
    loop = run_script(BASELINE, *flags, "--input", "s3://photos/in", env=storage.env)
    assert loop.ok, loop.error
    assert loop.items == len(storage.rows("out")) == 3, "the rows of the first run are still there"


def test_no_key_in_any_file() -> None:
    for path in (ROOT / "ray_data").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"AKIA[0-9A-Z]{12}", text)
        for key in re.findall(r"(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY)=[\"']([^\"']*)", text):
            assert key == "test", path


@both
def test_one_sentence_for_what_is_wrong(storage, script, monkeypatch) -> None:
    ours, out = ["--input", "s3://photos/in"], ["--output", "s3://out/refused"]
    wrong_key, wrong_secret = {"AWS_ACCESS_KEY_ID": "nobody"}, {"AWS_SECRET_ACCESS_KEY": "wrong"}
    cases = [
        ([*ours, *out], wrong_key, "Key Id you provided does not exist"),
        ([*ours, *out], wrong_secret, "signature we calculated does not match"),
        (["--input", "s3://no-such-bucket/in", *out], {}, "bucket does not exist"),
        ([*ours, "--output", "s3://no-such-bucket/x"], {}, "bucket"),
        ([*ours, "--output", "s3://photos"], {}, "a folder of its own"),
        (["--input", "out/nowhere"], {}, "make samples"),
    ]
    for flags, wrong, words in cases:
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps its first keys
        for name, value in (storage.env | wrong).items():
            monkeypatch.setenv(name, value)
        assert words in refusal(script, "--images", "1", *flags), flags
    assert len(storage.keys("photos")) == len(PHOTOS)


@pytest.mark.parametrize("how", [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_with_the_script(how) -> None:
    process = subprocess.Popen(
        [sys.executable, BASELINE, "--images", "3" if how is None else "300"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        server = the_server_of(process)
        assert {c.laddr.ip for c in server.net_connections() if c.status == "LISTEN"} <= {
            "127.0.0.1"
        }
        if how is not None:
            process.send_signal(how)
        assert (process.wait(60) == 0) == (how is None)
        server.wait(20)
    finally:
        process.kill()
    assert function(BASELINE, "serve") == function(RAY, "serve")


def the_server_of(process: subprocess.Popen) -> psutil.Process:
    """The S3 server that a script started, as soon as it listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for child in psutil.Process(process.pid).children():
            with contextlib.suppress(psutil.Error):
                if any(c.status == "LISTEN" for c in child.net_connections()):
                    return child
        time.sleep(0.02)
    raise AssertionError("no server listened")
