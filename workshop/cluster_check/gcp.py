"""Node bodies against the Compute API's published schema, which ships with Google's client."""

import functools
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema

from workshop.cluster_check.findings import Finding, fail, from_schema, ok, warn

CLUSTER_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,33}[a-z0-9])?")  # Ray adds 28 of 63 letters
NODE_TYPE = re.compile(r"[a-z0-9_-]{1,63}")  # it becomes a label
CLIENT = "google-api-python-client"


def discovery_document() -> Path | None:
    client = importlib.util.find_spec("googleapiclient")
    if not client or not client.origin:
        return None
    return Path(client.origin).parent / "discovery_cache" / "documents" / "compute.v1.json"


def strict(schema: dict) -> dict:
    """A schema of Google's discovery format as a JSON schema in which other keys are errors."""
    if "$ref" in schema:
        return {"$ref": f"#/definitions/{schema['$ref']}"}
    kind = schema.get("type")
    if kind == "object" and schema.get("properties"):
        inner = {name: strict(value) for name, value in schema["properties"].items()}
        return {"type": "object", "properties": inner, "additionalProperties": False}
    if kind == "object":
        more = schema.get("additionalProperties")
        return {"type": "object", "additionalProperties": strict(more) if more else False}
    if kind == "array":
        return {"type": "array", "items": strict(schema["items"])}
    if kind == "any":
        return {}
    if kind == "string" and schema.get("format") in ("int64", "uint64"):
        return {"type": ["string", "integer"]}
    return {"type": kind} | ({"enum": schema["enum"]} if "enum" in schema else {})


@functools.cache
def instance_schema() -> jsonschema.Draft7Validator | None:
    """What instances.insert of the Compute API takes, or None without Google's client."""
    document = discovery_document()
    if not document or not document.is_file():
        return None
    schemas = json.loads(document.read_text())["schemas"]
    definitions = {name: strict(schema) for name, schema in schemas.items()}
    return jsonschema.Draft7Validator(
        {"definitions": definitions, "$ref": "#/definitions/Instance"}
    )


def check_gcp(prepared: dict) -> Iterator[Finding]:
    """The names that Google takes, and the body of every type of node."""
    name = str(prepared.get("cluster_name"))
    if not CLUSTER_NAME.fullmatch(name):
        yield fail(
            f"cluster_name '{name}' cannot be part of a machine's name",
            "use at most 35 lower-case letters, digits and hyphens",
        )
    schema = instance_schema()
    if not schema:
        yield warn(
            "node bodies were not checked, as Google's client is not here",
            f"pip install '{CLIENT}>=2.150,<3' (`ray up` needs it too)",
        )
    for kind, node in prepared["available_node_types"].items():
        where, body = f"available_node_types.{kind}.node_config", node.get("node_config") or {}
        if not NODE_TYPE.fullmatch(kind):
            yield fail(f"node type '{kind}' cannot be a label", "use lower-case letters, - and _")
        if "machineType" not in body and ("acceleratorType" in body or "acceleratorConfig" in body):
            yield warn(f"{where} describes a TPU", "this check knows machines only: look it over")
            continue
        body = {key: value for key, value in body.items() if key != "sourceInstanceTemplate"}
        wrong = list(check_body(body, where, schema))
        yield from wrong or [ok(f"the Compute API's schema takes {kind}")] if schema else wrong
        if not wrong:
            yield from check_resources(kind, node)


def check_body(
    body: dict, where: str, schema: jsonschema.Draft7Validator | None
) -> Iterator[Finding]:
    for error in schema.iter_errors(body) if schema else ():
        yield from from_schema(error, where)
    if "machineType" not in body:
        yield fail(f"{where} has no machineType", "add one, such as machineType: n1-standard-4")
    disks = body.get("disks")
    if isinstance(disks, list) and not any(isinstance(d, dict) and d.get("boot") for d in disks):
        yield fail(f"no disk of {where} is to be booted from", "add boot: true to one")
    scheduling = body.get("scheduling")
    if isinstance(body.get("guestAccelerators"), list) and (
        not isinstance(scheduling, dict) or scheduling.get("onHostMaintenance") != "TERMINATE"
    ):
        yield fail(
            f"{where} has a GPU, and such a machine cannot move to another host",
            "add scheduling: {onHostMaintenance: TERMINATE}",
        )


def check_resources(kind: str, node: dict) -> Iterator[Finding]:
    """What Ray is told that the node has, against what Google is asked for."""
    body, resources = node["node_config"], node.get("resources") or {}
    gpus = sum(int(a.get("acceleratorCount", 0)) for a in body.get("guestAccelerators") or [])
    if gpus and resources.get("GPU", 0) != gpus:
        yield fail(
            f"{kind} has {gpus} GPU, but Ray is told of {resources.get('GPU', 0)}",
            f'write "GPU": {gpus} into available_node_types.{kind}.resources',
        )
    cores = re.fullmatch(r"\w+-(?:standard|highmem|highcpu)-(\d+)", body["machineType"])
    if cores and resources.get("CPU", 0) > int(cores[1]):
        yield warn(
            f"Ray is told that {kind} has {resources['CPU']} CPUs, {body['machineType']} has fewer",
            f'write "CPU": {cores[1]}',
        )
