"""Kubernetes manifests of KubeRay against the schema in its custom resource definitions (CRDs)."""

import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

import ray

from workshop.cluster_check.findings import Finding, fail, from_schema, leaves, ok, warn

CRDS = "KUBERAY_CRDS"
GET_CRDS = (
    "give --crds a folder with them: for c in rayclusters rayjobs rayservices; do kubectl get crd"
    " $c.ray.io -o yaml > $c.yaml; done"
)
KINDS = {"RayCluster": (), "RayJob": ("rayClusterSpec",), "RayService": ("rayClusterConfig",)}
SECRET_NAME = re.compile(r"TOKEN|PASSWORD|SECRET|API_?KEY|CREDENTIAL", re.IGNORECASE)


@functools.cache
def validator(folder: Path, version: str, kind: str) -> jsonschema.Draft7Validator | None:
    """What checks a document of this kind, strictly; None where the folder has no CRD for it."""
    schema = crd_schema(folder, version, kind) if folder.is_dir() else None
    if not schema:
        return None
    schema = strict(schema)
    schema["properties"]["metadata"] = {"type": "object"}
    return jsonschema.Draft7Validator(schema)


def crd_schema(folder: Path, version: str, kind: str) -> dict | None:
    """The schema of a kind out of the folder's CRD files."""
    for path in sorted(folder.glob("*.y*ml")):
        text = path.read_text()
        if not re.search(rf"^\s+kind: {kind}$", text, re.MULTILINE):
            continue  # these files are long, and slow to parse
        crd = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        if crd.get("kind") == "CustomResourceDefinition" and crd["spec"]["names"]["kind"] == kind:
            for each in crd["spec"]["versions"]:
                if f"{crd['spec']['group']}/{each['name']}" == version:
                    return each["schema"]["openAPIV3Schema"]
    return None


def strict(schema: Any) -> Any:
    """An OpenAPI schema of Kubernetes as a JSON schema in which other keys are errors."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    left_out = ("description", "format", "default", "nullable")
    new = {k: v for k, v in schema.items() if k not in left_out and not k.startswith("x-")}
    if "properties" in new:
        new["properties"] = {name: strict(value) for name, value in new["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            new.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties", "not"):
        if key in new:
            new[key] = strict(new[key])
    for key in ("anyOf", "allOf", "oneOf"):
        if key in new:
            new[key] = [strict(inner) for inner in new[key]]
    if schema.get("nullable") and isinstance(new.get("type"), str):
        new["type"] = [new["type"], "null"]
    return new


def check_manifests(documents: list[dict], crds: Path | None) -> Iterator[Finding]:
    crds = crds or (Path(os.environ[CRDS]) if os.environ.get(CRDS) else None)
    for document in documents:
        kind = document.get("kind")
        if not isinstance(kind, str) or not document.get("apiVersion"):
            yield fail("a document has no kind or no apiVersion", "add them")
        elif str(document.get("apiVersion", "")).startswith("ray.io/"):
            yield from check_schema(document, crds)
            if kind in KINDS:
                yield from check_cluster_spec(document)
        elif kind == "Secret":
            if document.get("data") or document.get("stringData"):
                yield fail(
                    "a Secret with its content is in the file",
                    "make it with `kubectl create secret generic` and only name it here",
                )
        else:
            yield warn(f"{kind}: its fields were not checked", "kubectl apply --dry-run=server")


def check_schema(document: dict, crds: Path | None) -> Iterator[Finding]:
    kind, version = document["kind"], document["apiVersion"]
    if not crds:
        yield warn(f"{kind}: its fields were not checked for want of KubeRay's CRDs", GET_CRDS)
        return
    schema = validator(crds, version, kind)
    if not schema:
        yield fail(f"{crds} holds no CRD for {version} {kind}", GET_CRDS)
        return
    wrong = [
        finding for error in schema.iter_errors(document) for finding in from_schema(error, kind)
    ]
    yield from wrong or [ok(f"{kind}: KubeRay's CRD for {version} takes it")]


def check_cluster_spec(document: dict) -> Iterator[Finding]:
    """What the schema cannot know: versions, the token, scaling, secrets, the Serve config."""
    kind = document["kind"]
    spec = document.get("spec") if isinstance(document.get("spec"), dict) else {}
    cluster = spec
    for key in KINDS[kind]:
        cluster = cluster.get(key) if isinstance(cluster.get(key), dict) else {}
    if kind == "RayJob" and not cluster and spec.get("clusterSelector"):
        return
    auth = cluster.get("authOptions")
    if isinstance(auth, dict) and auth.get("mode") == "token":
        yield ok(f"{kind}: token authentication is on")
    else:
        yield fail(
            f"{kind}: token authentication is off", "add authOptions: {mode: token} to its spec"
        )
    yield from check_versions(kind, cluster)
    yield from check_groups(kind, cluster)
    for path, name in leaves(cluster):
        secret = path[-1:] == ("name",) and "env" in path and SECRET_NAME.search(str(name))
        if secret and entry(cluster, path[:-1]).get("value"):
            yield fail(f"{kind}: {name} is in the file", "use valueFrom: {secretKeyRef: ...}")
    if kind == "RayService" and isinstance(spec.get("serveConfigV2"), str):
        from workshop.cluster_check.serve_config import check_serve_config  # slow: Serve's schema

        yield from check_serve_config(spec["serveConfigV2"])


def entry(value: Any, path: tuple) -> Any:
    for key in path:
        value = value[key]
    return value


def check_versions(kind: str, cluster: dict) -> Iterator[Finding]:
    images = [str(value) for path, value in leaves(cluster) if path[-1] == "image"]
    tags = {match[1] for image in images if (match := re.search(r"/ray\S*:(\d+\.\d+\.\d+)", image))}
    versions = tags | {str(cluster.get("rayVersion", ray.__version__))}
    if versions == {ray.__version__}:
        yield ok(f"{kind}: the pods run Ray {ray.__version__}, as here")
    else:
        yield fail(
            f"{kind}: its rayVersion and images say Ray {', '.join(sorted(versions))}",
            f"write {ray.__version__}, the version here, in all of them",
        )
    for image in images:
        if re.search(r"(^|/)ray\S*:(latest|nightly)|/ray$", image):
            yield warn(f"{kind}: {image} changes over time", f"pin {ray.__version__}-py311")


def check_groups(kind: str, cluster: dict) -> Iterator[Finding]:
    head = cluster.get("headGroupSpec")
    service = head.get("serviceType") if isinstance(head, dict) else None
    if service in ("LoadBalancer", "NodePort"):
        yield fail(
            f"{kind}: serviceType {service} shows the dashboard outside the cluster",
            "remove it and use kubectl port-forward",
        )
    groups = cluster.get("workerGroupSpecs")
    for group in groups if isinstance(groups, list) else ():
        if not isinstance(group, dict):
            continue  # the schema has said so
        low, now, high = (group.get(k) for k in ("minReplicas", "replicas", "maxReplicas"))
        sizes = [size for size in (low, now, high) if isinstance(size, int)]
        if sizes != sorted(sizes):
            yield fail(
                f"{kind}: group {group.get('groupName')} has {low} to {high} replicas, {now} now",
                "minReplicas <= replicas <= maxReplicas",
            )
