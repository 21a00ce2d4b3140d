"""The set-up commands of our files, run by bash as Ray runs them, with a stand-in for uv."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from workshop.lessons import ROOT

UV = """#!/bin/bash
echo "$@" >> ~/uv.log
[ "$1" != venv ] || mkdir -p "${@: -1}/bin"
[ ! -e ~/uv.fails ]
"""


def bash(home: Path, command: str) -> subprocess.CompletedProcess:
    """As Ray's command runner does it on a node: an interactive shell that reads ~/.bashrc."""
    return subprocess.run(
        ["bash", "-c", "-i", f"true && source ~/.bashrc; ({command})"],
        env={"HOME": str(home), "PATH": f"{home}/.local/bin:{os.defpath}"},
        capture_output=True,
        text=True,
        start_new_session=True,  # an interactive shell would want the terminal
    )


@pytest.fixture(params=["local", "gcp"])
def commands(request: pytest.FixtureRequest) -> list[str]:
    return yaml.safe_load((ROOT / "clusters" / f"{request.param}.yaml").read_text())[
        "setup_commands"
    ]


@pytest.fixture
def node(home: Path) -> Path:
    """A node's home after file_mounts, on which uv is there already."""
    files = {
        ".local/bin/uv": UV,
        "ray-workshop/constraints.txt": "ray==1\n",
        "ray-workshop/pyproject.toml": "",
        ".bashrc": "",
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / ".local/bin/uv").chmod(0o755)
    (home / ".ray/auth_token").chmod(0o644)
    return home


def set_up(node: Path, commands: list[str]) -> list[str]:
    """Runs the commands, and returns what uv was asked for."""
    (node / "uv.log").write_text("")
    for command in commands:
        done = bash(node, command)
        assert done.returncode == 0, done.stderr
    return (node / "uv.log").read_text().splitlines()


def test_a_fresh_node(node: Path, commands: list[str]) -> None:
    venv, install = set_up(node, commands)
    assert venv == f"venv -q --allow-existing --python 3.11 {node}/ray-venv"
    assert f"--python {node}/ray-venv -r {node}/ray-workshop/pyproject.toml" in install
    assert f"-c {node}/ray-workshop/constraints.txt" in install
    assert (node / ".ray/auth_token").stat().st_mode & 0o777 == 0o600
    path, mode = bash(node, "echo $PATH; echo $RAY_AUTH_MODE").stdout.split()
    assert path.startswith(f"{node}/ray-venv/bin:")
    assert mode == "token"


def test_again_installs_only_what_has_changed(node: Path, commands: list[str]) -> None:
    assert set_up(node, commands)
    assert not set_up(node, commands)
    assert (node / ".bashrc").read_text().count("\n") == 1
    (node / "ray-workshop/constraints.txt").write_text("ray==2\n")
    assert set_up(node, commands)


def test_a_failed_installation_is_no_success(node: Path, commands: list[str]) -> None:
    (node / "uv.fails").touch()
    codes = [bash(node, command).returncode for command in commands]
    assert any(codes), "`ray up` would go on with half an environment"
    (node / "uv.fails").unlink()
    assert set_up(node, commands), "and it is done again the next time"
