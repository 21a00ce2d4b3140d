"""The Kubernetes manifests, against the schema that KubeRay installs in a cluster (its CRDs)."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import ray

from workshop.cluster_check import Finding, check_file
from workshop.lessons import ROOT

pytestmark = pytest.mark.usefixtures("home")
KUBERAY = ROOT / "clusters" / "kuberay"
MANIFESTS = sorted(path.name for path in KUBERAY.glob("*.yaml"))
CRDS = ROOT.parent / "shared" / "data" / "kuberay-crds-v1.7.0"
with_crds = pytest.mark.skipif(
    not CRDS.is_dir(), reason=f"KubeRay's CRDs are not in {CRDS.name} beside the repository"
)


def documents(name: str) -> list[dict]:
    return list(yaml.safe_load_all((KUBERAY / f"{name}.yaml").read_text()))


def said(findings: list[Finding], *levels: str) -> str:
    return "\n".join(str(f) for f in findings if f.level in (levels or ("fail",)))


def put(name: str, path: str, value: Any) -> list[dict]:
    """The documents of a manifest, with the last one changed at a path such as spec.a.0.b."""
    changed = documents(name)
    *parents, last = path.split(".")
    holder = changed[-1]
    for key in parents:
        holder = holder[int(key) if key.isdigit() else key]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return changed


def test_there_is_one_of_each_kind() -> None:
    assert MANIFESTS == ["raycluster.yaml", "rayjob.yaml", "rayservice.yaml"]


@with_crds
@pytest.mark.parametrize("name", MANIFESTS)
def test_our_manifests_pass(name: str) -> None:
    findings = check_file(KUBERAY / name, crds=CRDS)
    assert not said(findings, "fail")
    assert "KubeRay's CRD for ray.io/v1 takes it" in said(findings, "ok")
    assert f"the pods run Ray {ray.__version__}, as here" in said(findings, "ok")
    assert "token authentication is on" in said(findings, "ok")


@pytest.mark.parametrize("name", MANIFESTS)
def test_without_the_schema_it_says_so(name: str) -> None:
    findings = check_file(KUBERAY / name)
    assert not said(findings, "fail")
    assert "for want of KubeRay's CRDs: give --crds a folder" in said(findings, "warn")


@with_crds
def test_the_schema_by_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBERAY_CRDS", str(CRDS))
    assert "CRD for ray.io/v1 takes it" in said(check_file(KUBERAY / "rayjob.yaml"), "ok")
    monkeypatch.setenv("KUBERAY_CRDS", str(tmp_path))
    assert "holds no CRD for ray.io/v1 RayJob" in said(check_file(KUBERAY / "rayjob.yaml"))


@with_crds
@pytest.mark.parametrize(
    ("name", "path", "value", "sentence"),
    [
        ("raycluster", "spec.workerGroupSpecs.0.maxReplica", 4, "did you mean 'maxReplicas'?"),
        ("raycluster", "spec.workerGroupSpecs.0.maxReplicas", None, "has no maxReplicas: add it"),
        ("raycluster", "spec.workerGroupSpecs.0.minReplicas", "one", "it must be a whole number"),
        ("raycluster", "spec.headGroupSpecs", {}, "did you mean 'headGroupSpec'?"),
        ("raycluster", "spec.headGroupSpec.rayStartParams", {"num-cpus": 0}, "must be a text"),
        (
            "raycluster",
            "spec.headGroupSpec.template.spec.containers.0.ports.0.containerPort",
            "6379",
            "RayCluster.spec.headGroupSpec.template.spec.containers[0].ports[0].containerPort is",
        ),
        ("raycluster", "spec.headGroupSpec.template.spec.containers.0.img", "x", "did you mean"),
        ("raycluster", "spec.authOptions", {"mode": "tokn"}, "did you mean token?"),
        (
            "rayjob",
            "spec.entryPoint",
            "x",
            "'entryPoint' is not a key of RayJob.spec: did you mean",
        ),
        ("rayjob", "spec.shutdownAfterJobFinishes", "yes", "it must be true or false"),
        ("rayservice", "spec.rayClusterSpec", {}, "did you mean 'rayClusterConfig'?"),
        ("rayservice", "apiVersion", "ray.io/v2", "holds no CRD for ray.io/v2 RayService"),
    ],
)
def test_mistakes_against_the_schema(
    check: Callable, name: str, path: str, value: Any, sentence: str
) -> None:
    assert sentence in said(check(put(name, path, value), crds=CRDS))


SERVE = "applications: [{name: a, import_path: 'a:b', "


@pytest.mark.parametrize(
    ("name", "path", "value", "sentence"),
    [
        ("raycluster", "spec.authOptions", None, "RayCluster: token authentication is off: add"),
        ("rayjob", "spec.rayClusterSpec.authOptions", {"mode": "disabled"}, "RayJob: token auth"),
        ("raycluster", "spec.rayVersion", "2.9.0", "its rayVersion and images say Ray 2.60.0, 2.9"),
        ("raycluster", "spec.workerGroupSpecs.0.replicas", 9, "cpu has 1 to 4 replicas, 9 now: mi"),
        ("raycluster", "spec.headGroupSpec.serviceType", "LoadBalancer", "shows the dashboard out"),
        (
            "raycluster",
            "spec.headGroupSpec.template.spec.containers.0.env",
            [{"name": "HF_TOKEN", "value": "abc"}],
            "RayCluster: HF_TOKEN is in the file: use valueFrom: {secretKeyRef: ...}",
        ),
        (
            "rayservice",
            "spec.serveConfigV2",
            SERVE + "deployments: [{name: X, max_concurrent_queries: 5}]}]",
            "Serve ignores 'serveConfigV2.applications[0].deployments[0].max_concurrent_queries': "
            "write 'max_ongoing_requests'",
        ),
        ("rayservice", "spec.serveConfigV2", SERVE + "route_prefx: /}]", "mean 'route_prefix'?"),
        ("rayservice", "spec.serveConfigV2", "applications: [{name: a}]", "import_path: Field req"),
        ("rayservice", "spec.serveConfigV2", "a: b: c", "serveConfigV2 is not YAML"),
        ("rayservice", "metadata.labels", {"team": "YOUR-NAME"}, "is still 'YOUR-NAME': write yo"),
    ],
)
def test_mistakes_that_no_schema_knows(
    check: Callable, name: str, path: str, value: Any, sentence: str
) -> None:
    assert sentence in said(check(put(name, path, value)))


def test_no_secret_in_a_manifest(check: Callable) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"x": "abc"}}
    assert "a Secret with its content is in the file" in said(check([secret]))


def test_the_job_runs_the_cluster_lesson() -> None:
    text = (KUBERAY / "rayjob.yaml").read_text()
    (job,) = documents("rayjob")
    script = "10_cluster_ray.py"
    assert f"kubectl create configmap workshop-code --from-file=ray_core/{script}" in text
    pod = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert pod["volumes"][0]["configMap"] == {"name": "workshop-code"}
    folder = pod["containers"][0]["volumeMounts"][0]["mountPath"]
    assert job["spec"]["entrypoint"] == f"python {folder}/{script}"
    known = (ROOT / "constraints.txt").read_text().split()
    needed = yaml.safe_load(job["spec"]["runtimeEnvYAML"])["pip"]
    assert needed and set(needed) <= set(known), "other versions than constraints.txt has"


def test_the_service_runs_the_file_in_its_config_map() -> None:
    code, service = documents("rayservice")
    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    module, _, variable = application["import_path"].partition(":")
    names: dict = {}
    exec(code["data"][f"{module}.py"], names)  # noqa: S102  (our own file)
    app = names[variable]
    assert type(app).__name__ == "Application"
    (deployment,) = application["deployments"]
    assert names[deployment["name"]].name == deployment["name"]
    hello = names[deployment["name"]].func_or_class()
    assert hello(SimpleNamespace(query_params={"name": "you"})) == "Hello, you!"

    cluster = service["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for pod in (group["template"]["spec"] for group in groups):
        (container,) = pod["containers"]
        assert container["env"][0]["name"] == "PYTHONPATH"
        assert container["env"][0]["value"] == container["volumeMounts"][0]["mountPath"]
        assert pod["volumes"][0]["configMap"]["name"] == code["metadata"]["name"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_images_are_pinned(name: str) -> None:
    images = re.findall(r"image: (\S+)", (KUBERAY / name).read_text())
    assert images
    for image in images:
        assert image.startswith(f"rayproject/ray:{ray.__version__}-py311"), image
