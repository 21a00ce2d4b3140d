"""Ray's own rules for a cluster YAML, and sentences for the shapes that tutorials get wrong."""

import contextlib
import copy
import io
import json
import logging
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

import ray
from ray.autoscaler._private.providers import _NODE_PROVIDERS
from ray.autoscaler._private.util import prepare_config, validate_config

from workshop.cluster_check.findings import (
    Finding,
    did_you_mean,
    fail,
    from_schema,
    ok,
    unknown,
    warn,
)

SCHEMA = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
PROVIDER = set(SCHEMA["properties"]["provider"]["properties"]) | {
    "coordinator_address",
    "external_head_ip",
}
AUTH = set(SCHEMA["properties"]["auth"]["properties"])
NODE_TYPE_SCHEMA = SCHEMA["properties"]["available_node_types"]["patternProperties"][".*"]
NODE_TYPE = set(NODE_TYPE_SCHEMA["properties"])
NODE_BODY = {
    "disks",
    "guestAccelerators",
    "labels",
    "machineType",
    "metadata",
    "minCpuPlatform",
    "networkInterfaces",
    "scheduling",
    "serviceAccounts",
    "sourceInstanceTemplate",
    "tags",
    # of other clouds, and as people remember it
    "image",
    "image_id",
    "instance_type",
    "machine_type",
    "preemptible",
}
LISTS_OF_NODES = {"head", "head_node", "nodes", "node_types", "worker_node", "worker_node_type"}
LISTS_OF_NODES |= {"worker_node_types", "worker_nodes", "worker_types", "workers"}
BY_TYPE = "available_node_types: {head: {resources: {}, node_config: {...}}, worker: {...}}"
LOCAL_IPS = "provider: {type: local, head_ip: IP, worker_ips: [IP, IP]}"


def check_structure(config: dict) -> Iterator[Finding]:
    """What is wrong with the file as it is written, in Ray's eyes and in ours."""
    provider = config.get("provider")
    kind = provider.get("type") if isinstance(provider, dict) else None
    yield from misplaced(config, kind)
    if isinstance(provider, dict):
        yield from provider_keys(provider, kind)
    known = {key: value for key, value in config.items() if key in SCHEMA["properties"]}
    if kind == "local":
        known = {key: value for key, value in known.items() if "node_type" not in key}
    elif not isinstance(known.get("head_node_type", ""), str):
        known.pop("head_node_type")
    types = known.get("available_node_types")
    if isinstance(types, dict):
        known["available_node_types"] = {
            name: {key: value for key, value in body.items() if key in NODE_TYPE}
            if isinstance(body, dict)
            else body
            for name, body in types.items()
        }
    for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(known):
        yield from from_schema(error)


def misplaced(config: dict, kind: str | None) -> Iterator[Finding]:
    """Keys that are not where Ray looks for them."""
    for key in config:
        if key in SCHEMA["properties"]:
            continue
        what = f"'{key}' is not a key of Ray's cluster YAML"
        if key in LISTS_OF_NODES and kind == "local":
            yield fail(what, f"machines of your own are listed as {LOCAL_IPS}")
        elif key in LISTS_OF_NODES:
            yield fail(what, f"write every type of node, the head's too, as {BY_TYPE}")
        elif key in NODE_BODY and kind == "local":
            yield fail(what, "remove it; machines of your own are what they are")
        elif key in NODE_BODY:
            yield fail(
                f"'{key}' at the top level means nothing to Ray",
                f"write it in available_node_types.NAME.node_config.{key}",
            )
        elif key in PROVIDER:
            yield fail(f"'{key}' at the top level means nothing to Ray", f"write provider.{key}")
        elif key in AUTH:
            yield fail(f"'{key}' at the top level means nothing to Ray", f"write auth.{key}")
        elif key == "min_workers":
            if kind != "local":
                yield fail(
                    "Ray ignores 'min_workers' at the top level",
                    "write available_node_types.NAME.min_workers",
                )
        elif key in NODE_TYPE:
            yield fail(what, f"write it in available_node_types.NAME.{key}")
        else:
            yield fail(what, unknown(key, SCHEMA["properties"]))
    if kind == "local":
        for key in ("available_node_types", "head_node_type"):
            if key in config:
                yield fail(f"a local cluster has no {key}", f"remove it and write {LOCAL_IPS}")
    else:
        yield from node_types(config)


def node_types(config: dict) -> Iterator[Finding]:
    """The head's type by its name, and nothing beside what Ray reads in a node type."""
    types, head = config.get("available_node_types"), config.get("head_node_type")
    if not types:
        yield fail("the file has no available_node_types", f"write {BY_TYPE}")
        types = {}
    if isinstance(head, dict | list):
        yield fail(
            f"head_node_type is {'a mapping' if isinstance(head, dict) else 'a list'}",
            "write only the name of one of available_node_types there, as in "
            f"`head_node_type: head`, and what the head is made of as {BY_TYPE}",
        )
    elif not isinstance(head, str):
        yield fail("the file has no head_node_type", "name one of available_node_types")
    elif isinstance(types, dict) and types and head not in types:
        yield fail(
            f"head_node_type '{head}' is not one of available_node_types", unknown(head, types)
        )
    for name, body in types.items() if isinstance(types, dict) else ():
        for key in body if isinstance(body, dict) else ():
            where = f"available_node_types.{name}"
            if key in NODE_TYPE:
                continue
            if key in NODE_BODY:
                yield fail(
                    f"'{key}' is not a key of {where}", f"write it in {where}.node_config.{key}"
                )
            else:
                yield fail(f"'{key}' is not a key of {where}", unknown(key, NODE_TYPE))


def provider_keys(provider: dict, kind: Any) -> Iterator[Finding]:
    """Ray takes any key of a provider: a misspelt one would go unnoticed."""
    if isinstance(kind, str) and kind not in _NODE_PROVIDERS:
        yield fail(f"provider.type '{kind}' is not known to Ray", unknown(kind, _NODE_PROVIDERS))
    for key in (key for key in provider if key not in PROVIDER):
        tell = fail if did_you_mean(key, PROVIDER) else warn
        yield tell(f"Ray ignores 'provider.{key}'", unknown(key, PROVIDER))
    wanted = {
        "gcp": ("project_id", "region", "availability_zone"),
        "local": () if "coordinator_address" in provider else ("head_ip", "worker_ips"),
    }
    for key in wanted.get(kind, ()) if isinstance(kind, str) else ():
        if key not in provider:
            yield fail(f"the file has no provider.{key}", "add it")


def prepare(config: dict) -> tuple[dict | None, Finding]:
    """The file with Ray's defaults filled in, as `ray up` does it before it calls the cloud."""
    said = io.StringIO()
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            prepared = prepare_config(copy.deepcopy(config))
            validate_config(prepared)
    except (Exception, SystemExit) as error:
        message = getattr(error, "message", None) or str(error) or said.getvalue()
        reason = textwrap.shorten(message or repr(error), 200)
        return None, fail("Ray refuses the file", reason)
    finally:
        logging.disable(logging.NOTSET)
    return prepared, ok(f"Ray {ray.__version__} accepts the file: its schema and prepare_config")
