"""check-cluster: our files pass once edited, and every well-known mistake gets its sentence."""

import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

import ray

from workshop.cluster_check import check_cluster, check_file
from workshop.cluster_check.gcp import instance_schema
from workshop.lessons import LLM, ROOT, STAGES

pytestmark = pytest.mark.usefixtures("home")
CLUSTERS = ROOT / "clusters"
LAUNCHER = ("local", "gcp")
TUTORIAL = """
cluster_name: demo
provider: {type: gcp, region: us-central1, availability_zone: us-central1-a, project_id: tidy-otter}
auth: {ssh_user: ubuntu}
machineType: n1-standard-4
head_node_type: {name: head, machineType: n1-standard-4}
worker_node_types:
  - {name: worker, machineType: n1-standard-8, min_workers: 1}
head_start_ray_commands:
  - ray start --head --dashboard-host=0.0.0.0
"""

app = typer.Typer()
app.command("check-cluster")(check_cluster)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def failures(check: Callable) -> Callable[..., str]:
    """failures(config): what fails, a line each."""
    return lambda config, **more: "\n".join(
        str(finding) for finding in check(config, **more) if finding.level == "fail"
    )


@pytest.fixture(params=LAUNCHER)
def config(request: pytest.FixtureRequest) -> dict:
    return request.getfixturevalue(request.param)


# Our files


def test_our_files_pass_when_edited(check: Callable, config: dict) -> None:
    findings = check(config)
    assert {finding.level for finding in findings} == {"ok"}, "\n".join(map(str, findings))
    assert f"the nodes get Ray {ray.__version__}, as here" in [f.what for f in findings]


def test_our_files_fail_before_the_edits() -> None:
    code, out, _ = run("clusters/local.yaml")
    assert code == 1
    assert "[fail] auth.ssh_user is still 'CHANGE-ME': write your own" in out
    for ip in ("192.0.2.11", "192.0.2.12", "192.0.2.13"):
        assert f"[fail] {ip} is an example's address: write the IP of a machine of yours" in out
    code, out, _ = run("clusters/gcp.yaml")
    assert code == 1
    assert "[fail] provider.project_id is still 'CHANGE-ME': write your own" in out
    assert out.endswith("clusters/gcp.yaml: 1 to fix, 0 to look at\n")


@pytest.mark.parametrize("name", LAUNCHER)
def test_every_stage_reaches_the_nodes(name: str) -> None:
    """But for vllm_examples: the nodes' environment has no vLLM."""
    mounts = yaml.safe_load((CLUSTERS / f"{name}.yaml").read_text())["file_mounts"]
    for stage in (*STAGES, "workshop", "pyproject.toml", "constraints.txt"):
        if stage != LLM:
            assert mounts.get(f"~/ray-workshop/{stage}") == stage, f"add {stage} to file_mounts"


# Shapes that tutorials get wrong


def test_the_shape_of_a_tutorial(failures: Callable) -> None:
    said = failures(TUTORIAL)
    assert "'machineType' at the top level means nothing to Ray" in said
    assert "write it in available_node_types.NAME.node_config.machineType" in said
    assert "head_node_type is a mapping: write only the name of one of available_node_types" in said
    assert "'worker_node_types' is not a key of Ray's cluster YAML: write every type" in said
    assert "--dashboard-host=0.0.0.0 shows the dashboard to everybody" in said
    assert "write --dashboard-host=127.0.0.1 and open it with `ray dashboard FILE`" in said


def test_node_types_on_machines_of_your_own(failures: Callable, local: dict) -> None:
    local |= {"head_node_type": "head", "worker_node_types": [], "head_node": {}}
    said = failures(local)
    assert "a local cluster has no head_node_type: remove it and write provider: {type: loc" in said
    assert (
        "'worker_node_types' is not a key of Ray's cluster YAML: machines of your own are" in said
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda c: c.update(max_wokers=3),
            "'max_wokers' is not a key of Ray's cluster YAML: did y",
        ),
        (
            lambda c: c.update(project_id="x"),
            "'project_id' at the top level means nothing to Ray: ",
        ),
        (
            lambda c: c.update(min_workers=1),
            "Ray ignores 'min_workers' at the top level: write avai",
        ),
        (
            lambda c: c.update(max_workers="6"),
            "max_workers is a text, '6': it must be a whole numb",
        ),
        (
            lambda c: c.update(max_workers=0),
            "Ray refuses the file: The specified global `max_worke",
        ),
        (lambda c: c.update(cluster_name="My_Cluster"), "cluster_name 'My_Cluster' cannot be part"),
        (lambda c: c.pop("provider"), "the file has no provider: add it"),
        (lambda c: c.pop("available_node_types"), "the file has no available_node_types: write av"),
        (
            lambda c: c.update(head_node_type="heda"),
            "head_node_type 'heda' is not one of available",
        ),
        (
            lambda c: c["provider"].update(type="gpc"),
            "provider.type 'gpc' is not known to Ray: did",
        ),
        (
            lambda c: c["provider"].update(projectId="x"),
            "Ray ignores 'provider.projectId': did you",
        ),
        (
            lambda c: c["provider"].update(project_id="Otters"),
            "cannot be a project's id: write ",
        ),
        (
            lambda c: c["provider"].update(project_id=None),
            "provider.project_id is empty: write the",
        ),
        (
            lambda c: c["provider"].update(region="us-west1"),
            "is not in region us-west1: write a zone",
        ),
        (
            lambda c: worker(c).update(machineType="x"),
            "write it in available_node_types.cpu_worker.",
        ),
        (
            lambda c: worker(c).update(min_worker=1),
            "available_node_types.cpu_worker: did you mean 'm",
        ),
        (
            lambda c: worker(c).pop("resources"),
            "available_node_types.cpu_worker has no resources: a",
        ),
        (lambda c: body(c).update(machine_type="x"), "node_config: did you mean 'machineType'?"),
        (lambda c: body(c).pop("machineType"), "node_config has no machineType: add one"),
        (
            lambda c: body(c).update(scheduling=[{}]),
            "node_config.scheduling is a list: it must be a",
        ),
        (lambda c: body(c).update(disks={}), "node_config.disks is a mapping: it must be a list"),
        (
            lambda c: body(c)["disks"][0].update(boot="yes"),
            "disks[0].boot is a text, 'yes': it must",
        ),
        (
            lambda c: body(c)["disks"][0].update(type="SSD"),
            "disks[0].type is 'SSD': it must be one ",
        ),
        (
            lambda c: body(c)["disks"][0].update(boot=False),
            "no disk of available_node_types.cpu_wor",
        ),
        (
            lambda c: body(c, "gpu_worker").pop("scheduling"),
            "add scheduling: {onHostMaintenance: T",
        ),
        (
            lambda c: worker(c, "gpu_worker").update(resources={"CPU": 8}),
            "has 1 GPU, but Ray is to",
        ),
    ],
)
def test_mistakes_on_google_cloud(
    failures: Callable, gcp: dict, change: Callable, sentence: str
) -> None:
    change(gcp)
    assert sentence in failures(gcp)


def worker(config: dict, kind: str = "cpu_worker") -> dict:
    return config["available_node_types"][kind]


def body(config: dict, kind: str = "cpu_worker") -> dict:
    return worker(config, kind)["node_config"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["provider"].pop("head_ip"), "the file has no provider.head_ip: add it"),
        (lambda c: c["provider"].update(worker_ip=["10.1.0.12"]), "did you mean 'worker_ips'?"),
        (lambda c: c["provider"]["worker_ips"].append("10.1.0.11"), "10.1.0.11 is listed 2 times"),
        (lambda c: c["provider"].update(head_ip="127.0.0.1"), "127.0.0.1 means this very machine"),
        (lambda c: c["provider"].update(head_ip="203.0.113.7"), "203.0.113.7 is an example's addr"),
        (
            lambda c: c["auth"].update(ssh_private_key="~/.ssh/no"),
            "~/.ssh/no does not exist: ssh-k",
        ),
        (lambda c: c["auth"].update(ssh_usr="me"), "'ssh_usr' is not a key of auth: did you mean "),
    ],
)
def test_mistakes_on_a_lan(
    failures: Callable, local: dict, change: Callable, sentence: str
) -> None:
    change(local)
    assert sentence in failures(local)


# What the nodes run


def replaced(config: dict, old: str, new: str) -> dict:
    """The file with all its commands changed."""
    config = copy.deepcopy(config)
    for key, commands in config.items():
        if key.endswith("_commands"):
            config[key] = [command.replace(old, new) for command in commands]
    return config


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("=127.0.0.1", "=0.0.0.0", "--dashboard-host=0.0.0.0 shows the dashboard to everybody"),
        ("=127.0.0.1", " '0.0.0.0'", "--dashboard-host=0.0.0.0 shows the dashboard to everybody"),
        ("--autoscaling-config", "--autoscaling", "so that no worker ever starts: add --autoscal"),
        (
            "RAY_AUTH_MODE=token",
            "RAY_AUTH_MODE=disabled",
            "token authentication is off on the head",
        ),
        ("RAY_AUTH_MODE=token", "", "token authentication is off on the worker: add RAY_AUTH_MODE"),
        ("$RAY_HEAD_IP:6379", "$RAY_HEAD_IP:6380", "look for the head at port 6380, it listens at"),
        ("--address=$RAY_HEAD_IP:6379", "", "the workers' `ray start` does not join the head: wr"),
        ("--head", "", "no head is started: add `ray start --head`"),
        ("-c ~/ray-workshop/constraints.txt", "ray==2.9.0", "the nodes get Ray 2.9.0, but here is"),
        ("-c ~/ray-workshop/constraints.txt", "'ray[default]==2.9.0'", "the nodes get Ray 2.9.0, "),
    ],
)
def test_mistakes_in_the_commands(
    failures: Callable, config: dict, old: str, new: str, sentence: str
) -> None:
    assert sentence in failures(replaced(config, old, new))


def test_autoscaler_v2_on_a_lan(failures: Callable, local: dict, gcp: dict) -> None:
    said = failures(replaced(local, "RAY_enable_autoscaler_v2=0", ""))
    assert "never starts the last worker here (ray#57153): write RAY_enable_autoscaler_v2=0" in said
    assert "autoscaler" not in failures(gcp), "v2 works there"


def test_rays_defaults_for_google_expose_the_dashboard(failures: Callable, gcp: dict) -> None:
    del gcp["head_start_ray_commands"]
    assert "--dashboard-host=0.0.0.0" in failures(gcp)


def test_no_pinned_version(check: Callable, gcp: dict) -> None:
    gcp["setup_commands"] = ["pip install ray", "export RAY_AUTH_MODE=token"]
    assert f'"ray[default]=={ray.__version__}", the version here' in str(check(gcp)[-6:])


def test_version_of_images(failures: Callable, gcp: dict) -> None:
    gcp["docker"] = {"image": "rayproject/ray:2.9.3-py311", "container_name": "ray"}
    assert "the nodes get Ray 2.60.0, 2.9.3" not in failures(gcp), "only what differs"
    assert "the nodes get Ray 2.9.3, but here is" in failures(gcp)


def test_token(failures: Callable, config: dict, home: Path, check: Callable) -> None:
    token = home / ".ray/auth_token"
    token.chmod(0o644)
    assert "chmod 600 ~/.ray/auth_token" in "\n".join(map(str, check(config)))
    token.unlink()
    assert "there is no token in ~/.ray/auth_token yet: ray get-auth-token" in failures(config)
    del config["file_mounts"]["~/.ray/auth_token"]
    assert "the token does not reach the nodes: add to file_mounts" in failures(config)


def test_files_to_bring_along(check: Callable, config: dict, tmp_path: Path) -> None:
    (tmp_path / "all" / ".venv").mkdir(parents=True)
    config["file_mounts"] |= {"~/a": "no-such-folder", "~/b": str(tmp_path / "all")}
    said = "\n".join(map(str, check(config)))
    assert "[fail] 'no-such-folder' of file_mounts is not here: run from the repository's" in said
    assert "at every `ray up`, .venv too, whatever rsync_exclude says" in said


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "AKIA" + "A" * 16,
        "AIza" + "b" * 35,
        "token: ghp_" + "c" * 36,
        "HF_TOKEN=hf_" + "d" * 30,
        "export RAY_AUTH_TOKEN=0123456789abcdef",
        "db_password: 'correct horse'",
    ],
)
def test_secrets_are_found_and_not_repeated(check: Callable, gcp: dict, secret: str) -> None:
    text = yaml.safe_dump(gcp)
    found = [f for f in check(f"{text}\n# {secret}\n") if f.level == "fail"]
    assert found and f"line {text.count(chr(10)) + 2} holds" in found[0].what
    assert secret[-12:] not in str(found)


# Never a traceback


def ways(value: object, path: tuple = ()) -> Iterator[tuple]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ways(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ways(inner, (*path, index))


def test_any_value_anywhere_gives_findings(check: Callable, config: dict) -> None:
    for index, path in enumerate(ways(config)):
        broken = copy.deepcopy(config)
        *parents, last = path
        holder = broken
        for key in parents:
            holder = holder[key]
        holder[last] = (None, [], {}, 3, "x", [{}], {"x": None})[index % 7]
        assert check(broken), path


# The command


def test_command(tmp_path: Path, config: dict) -> None:
    file = tmp_path / "fine.yaml"
    file.write_text(yaml.safe_dump(config))
    code, out, err = run(str(file))
    assert (code, err) == (0, "")
    assert all(line.startswith("[ok] ") for line in out.splitlines()[:-1])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "there is no file"),
        ("a: b: c", "is not YAML in line 1: mapping values are not allowed here"),
        ("a: 1\nb: 2\na: 3", "'a' comes twice, again in line 3: keep one of them"),
        ("- a\n- b", "holds no mapping, so it is no cluster's YAML"),
        ("", "holds no mapping, so it is no cluster's YAML"),
        ("a: 1\n---\nb: 2", "holds 2 YAML documents, `ray up` takes one"),
        (b"\xff\xfe\x00", "cannot be read: it is not text"),
    ],
)
def test_not_a_cluster(tmp_path: Path, text: str | bytes | None, sentence: str) -> None:
    file = tmp_path / "cluster.yaml"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    code, out, err = run(str(file))
    assert (code, out) == (2, "")
    assert sentence in err and err.count("\n") == 1


def test_without_googles_client(
    check: Callable, gcp: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workshop.cluster_check.gcp.discovery_document", lambda: None)
    instance_schema.cache_clear()
    try:
        said = [str(finding) for finding in check(gcp) if finding.level != "ok"]
    finally:
        instance_schema.cache_clear()
    assert len(said) == 1 and "pip install 'google-api-python-client" in said[0]


# --probe


SSH = """#!/bin/sh
case "$*" in
  *10.1.0.11*) exit 0 ;;
  *10.1.0.12*) echo "ray@10.1.0.12: Permission denied (publickey)." >&2; exit 255 ;;
  *10.1.0.13*) echo rsync; exit 42 ;;
  *10.1.0.14*) echo "connect to host 10.1.0.14 port 22: Connection timed out" >&2; exit 255 ;;
  *10.1.0.15*) sleep 30 ;;
esac
"""


def test_probe(
    check: Callable, local: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("workshop.cluster_check.ssh.TOTAL", 2)
    local["provider"]["worker_ips"] = [f"10.1.0.{number}" for number in range(12, 16)]
    assert [str(finding) for finding in check(local, probe=True)[-5:]] == [
        "[ok] 10.1.0.11 lets ray@10.1.0.11 in and has bash, curl, rsync",
        "[fail] 10.1.0.12 does not let ray@10.1.0.12 in: "
        "ssh-copy-id -i ~/.ssh/ray_workshop ray@10.1.0.12",
        "[fail] 10.1.0.13 lacks rsync: install it there",
        "[fail] 10.1.0.14 does not answer: is it switched on, and is it the right IP?",
        "[fail] 10.1.0.15 gave no answer in 2 s: is it awake, and is it the right IP?",
    ]


def test_probe_without_ssh(
    check: Callable, local: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install the OpenSSH client (ssh)" in str(check(local, probe=True)[-1])


def test_a_user_of_the_function_gets_the_same(tmp_path: Path) -> None:
    findings = check_file(CLUSTERS / "gcp.yaml")
    assert [finding.fix for finding in findings if finding.level == "fail"] == ["write your own"]
