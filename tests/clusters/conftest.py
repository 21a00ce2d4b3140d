"""Cluster files with their edits done, and a home folder with the token and the key in it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from workshop.cluster_check import Finding, check_file
from workshop.lessons import ROOT

CLUSTERS = ROOT / "clusters"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a token and an SSH key, and the repository as the working folder."""
    home = tmp_path / "home"
    for name in (".ray/auth_token", ".ssh/ray_workshop"):
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text("not a real one\n")
        (home / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("KUBERAY_CRDS", raising=False)
    monkeypatch.chdir(ROOT)
    return home


@pytest.fixture
def local() -> dict:
    """clusters/local.yaml as somebody with three machines would edit it."""
    config = yaml.safe_load((CLUSTERS / "local.yaml").read_text())
    config["provider"] |= {"head_ip": "10.1.0.11", "worker_ips": ["10.1.0.12", "10.1.0.13"]}
    config["auth"]["ssh_user"] = "ray"
    return config


@pytest.fixture
def gcp() -> dict:
    """clusters/gcp.yaml with a project in it; copied, as YAML's anchors share what they name."""
    config = yaml.safe_load((CLUSTERS / "gcp.yaml").read_text())
    config["provider"]["project_id"] = "tidy-otter-123456"
    return json.loads(json.dumps(config))


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[Finding]]:
    """check(config or text, probe=False, crds=None): the findings on it as a file."""

    def check(config: dict | list | str, **more) -> list[Finding]:
        file = tmp_path / "cluster.yaml"
        if isinstance(config, list):
            config = yaml.safe_dump_all(config)
        file.write_text(config if isinstance(config, str) else yaml.safe_dump(config))
        return check_file(file, **more)

    return check
