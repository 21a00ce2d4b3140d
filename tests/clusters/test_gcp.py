"""Ray's own `ray up`, autoscaler and `ray down` with clusters/gcp.yaml; a stand-in is Google."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import google.auth
import httplib2
import pytest
import yaml
from google.oauth2.credentials import Credentials

from ray.autoscaler._private import commands
from ray.autoscaler._private.gcp.node_provider import GCPNodeProvider
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.instance_manager.node_provider import NodeProviderAdapter
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil

from compute_stand_in import PROJECT, ComputeStandIn
from workshop.lessons import ROOT

pytestmark = pytest.mark.usefixtures("home")
CLUSTERS = ROOT / "clusters"
UBUNTU = "projects/ubuntu-os-cloud/global/images/family/"


class HeadSetUp:
    """In place of the thread that sets the head up over SSH: the head's home is the one here."""

    seen: SimpleNamespace

    def __init__(self, **job) -> None:
        HeadSetUp.seen = SimpleNamespace(**job)
        key = "~/ray_bootstrap_key.pem"
        shutil.copy(job["file_mounts"][key], Path(key).expanduser())
        bootstrap = job["file_mounts"]["~/ray_bootstrap_config.yaml"]
        HeadSetUp.seen.bootstrap = yaml.safe_load(Path(bootstrap).read_text())
        self.exitcode = 0

    def start(self) -> None: ...

    def join(self) -> None: ...


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> ComputeStandIn:
    stand_in = ComputeStandIn()
    monkeypatch.setattr(
        httplib2.Http, "request", lambda _, *args, **kw: stand_in.request(*args, **kw)
    )
    monkeypatch.setattr(google.auth, "default", lambda *_, **__: (Credentials("none"), PROJECT))
    monkeypatch.setattr(commands, "NodeUpdaterThread", HeadSetUp)
    monkeypatch.setattr(commands, "exec_cluster", lambda *_, **__: "")
    monkeypatch.setattr(commands, "POLL_INTERVAL", 0)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    return stand_in


@pytest.fixture
def file(gcp: dict, tmp_path: Path) -> Path:
    path = tmp_path / "gcp.yaml"
    path.write_text(yaml.safe_dump(gcp))
    return path


@pytest.fixture
def up(cloud: ComputeStandIn, file: Path) -> Callable[[], dict]:
    """up() is `ray up -y gcp.yaml`: returns the configuration that it puts on the head."""

    def up() -> dict:
        commands.create_or_update_cluster(
            str(file), None, None, False, False, True, no_config_cache=True
        )
        return HeadSetUp.seen.bootstrap

    return up


def launch(on_head: dict, demand: list[dict]) -> tuple[dict[str, int], list[str]]:
    """What the autoscaler on the head starts for the demand, and the errors in doing so."""
    config = AutoscalingConfig(on_head, skip_content_hash=True)
    requests = [ResourceRequestUtil.make(shape) for shape in demand]
    reply = ResourceDemandScheduler().schedule(
        SchedulingRequest(
            node_type_configs=config.get_node_type_configs(),
            max_num_nodes=config.get_max_num_nodes(),
            resource_requests=ResourceRequestUtil.group_by_count(requests),
            disable_launch_config_check=False,
        )
    )
    shape = {request.instance_type: request.count for request in reply.to_launch}
    provider = GCPNodeProvider(on_head["provider"], on_head["cluster_name"])
    adapter = NodeProviderAdapter(
        provider, SimpleNamespace(get_cached_autoscaling_config=lambda: config)
    )
    for kind, count in shape.items():
        adapter._launch_nodes_by_type(kind, count, "request-1")
    return shape, [str(error.__cause__) for error in adapter.poll_errors()]


def kinds(cloud: ComputeStandIn) -> Counter:
    return Counter(i["labels"]["ray-user-node-type"] for i in cloud.instances.values())


def of_kind(cloud: ComputeStandIn, kind: str) -> dict:
    return next(i for i in cloud.instances.values() if i["labels"]["ray-user-node-type"] == kind)


def test_up_makes_the_head_and_nothing_else(cloud: ComputeStandIn, up: Callable) -> None:
    up()
    assert kinds(cloud) == {"head": 1}
    head = of_kind(cloud, "head")
    assert head["machineType"] == "zones/us-central1-a/machineTypes/n1-standard-4"
    assert head["labels"]["ray-node-type"] == "head"
    assert head["labels"]["ray-cluster-name"] == "workshop-gcp"
    assert head["serviceAccounts"][0]["scopes"], "the head may make machines"
    (disk,) = head["disks"]
    assert disk["boot"] and disk["autoDelete"], "no disk is left behind to pay for"
    assert disk["initializeParams"] == {
        "diskSizeGb": 50,
        "sourceImage": UBUNTU + "ubuntu-2404-lts-amd64",
    }


def test_up_makes_a_key_pair_of_its_own(cloud: ComputeStandIn, up: Callable, home: Path) -> None:
    up()
    private = next((home / ".ssh").glob("ray-autoscaler_gcp_*_0"))
    assert private.stat().st_mode & 0o077 == 0
    public = private.with_name(private.name + ".pub").read_text()
    assert cloud.ssh_keys[-1] == f"ubuntu:{public} ubuntu"
    assert "roles/compute.admin" in cloud.roles or "roles/editor" in cloud.roles, cloud.roles


def test_what_the_head_is_told_to_do(up: Callable) -> None:
    up()
    job = HeadSetUp.seen
    start = " ".join(job.ray_start_commands)
    assert "--dashboard-host=127.0.0.1" in start
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in start
    set_up = "\n".join(job.setup_commands)
    assert "RAY_AUTH_MODE=token" in set_up and "ray-workshop/constraints.txt" in set_up
    assert "google-api-python-client" in set_up, "or the head cannot make workers"
    assert "1.7.8" not in set_up, "Ray's default head_setup_commands are still there"
    assert {"~/.ray/auth_token", "~/ray-workshop/ray_core"} <= set(job.file_mounts)
    assert "~/.ray/auth_token" in job.bootstrap["file_mounts"], "or the workers get no token"


def test_idle_cluster_keeps_one_cpu_worker(cloud: ComputeStandIn, up: Callable) -> None:
    shape, errors = launch(up(), demand=[])
    assert (shape, errors) == ({"cpu_worker": 1}, [])
    assert kinds(cloud) == {"head": 1, "cpu_worker": 1}
    worker = of_kind(cloud, "cpu_worker")
    assert worker["machineType"].endswith("/n1-standard-8")
    assert "guestAccelerators" not in worker and "scheduling" not in worker
    assert worker["labels"]["ray-node-type"] == "worker"


def test_a_task_that_needs_a_gpu_gets_one(cloud: ComputeStandIn, up: Callable) -> None:
    _, errors = launch(up(), demand=[{"GPU": 1, "CPU": 1}])
    assert not errors
    assert kinds(cloud) == {"head": 1, "cpu_worker": 1, "gpu_worker": 1}
    worker = of_kind(cloud, "gpu_worker")
    (gpu,) = worker["guestAccelerators"]
    assert gpu["acceleratorCount"] == 1
    assert gpu["acceleratorType"].endswith("zones/us-central1-a/acceleratorTypes/nvidia-tesla-t4")
    assert worker["scheduling"] == {"onHostMaintenance": "TERMINATE"}
    assert worker["disks"][0]["initializeParams"]["diskSizeGb"] == 100


def test_much_work_stops_at_the_maximum(cloud: ComputeStandIn, up: Callable) -> None:
    launch(up(), demand=[{"CPU": 1}] * 500 + [{"GPU": 1}] * 50)
    assert kinds(cloud) == {"head": 1, "cpu_worker": 4, "gpu_worker": 2}


def test_the_shapes_that_the_bill_in_the_readme_is_for(gcp: dict) -> None:
    def cores(kind: str) -> int:
        machine = gcp["available_node_types"][kind]["node_config"]["machineType"]
        return int(machine.rsplit("-", 1)[1])

    types = gcp["available_node_types"]
    workers = [kind for kind in types if kind != gcp["head_node_type"]]
    idle = cores("head") + sum(cores(kind) * types[kind]["min_workers"] for kind in workers)
    most = cores("head") + sum(cores(kind) * types[kind]["max_workers"] for kind in workers)
    assert (idle, most) == (12, 52)
    assert gcp["max_workers"] == sum(types[kind]["max_workers"] for kind in workers)


def test_spot_workers_as_in_the_comments(cloud: ComputeStandIn, up: Callable, file: Path) -> None:
    config = yaml.safe_load(file.read_text())
    spot = {"provisioningModel": "SPOT", "instanceTerminationAction": "DELETE"}
    text = (CLUSTERS / "gcp.yaml").read_text()
    assert "# scheduling: {provisioningModel: SPOT, instanceTerminationAction: DELETE}" in text
    config["available_node_types"]["cpu_worker"]["node_config"]["scheduling"] = spot
    file.write_text(yaml.safe_dump(config))
    _, errors = launch(up(), demand=[])
    assert not errors
    assert of_kind(cloud, "cpu_worker")["scheduling"] == spot


def test_up_twice_makes_one_head(cloud: ComputeStandIn, up: Callable) -> None:
    up()
    up()
    assert kinds(cloud) == {"head": 1}


def test_down_deletes_every_machine(cloud: ComputeStandIn, up: Callable, file: Path) -> None:
    launch(up(), demand=[{"GPU": 1}])
    bystander = {"name": "other", "labels": {"ray-cluster-name": "another"}}
    cloud.instances["other"] = bystander
    commands.teardown_cluster(str(file), True, False, None, False)
    assert cloud.instances == {"other": bystander}
    assert len(cloud.deleted) == 3


def test_the_stand_in_refuses_what_google_would(
    cloud: ComputeStandIn, up: Callable, file: Path
) -> None:
    config = yaml.safe_load(file.read_text())
    body = config["available_node_types"]["cpu_worker"]["node_config"]
    body["disks"][0]["bootable"] = True
    file.write_text(yaml.safe_dump(config))
    _, errors = launch(up(), demand=[])
    assert len(errors) == 1 and "'bootable' was unexpected" in errors[0]
    assert kinds(cloud) == {"head": 1}
