"""The Serve config inside a RayService: Serve itself ignores keys that it does not know."""

from collections.abc import Iterator
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ray.serve.schema import ServeDeploySchema

from workshop.cluster_check.findings import Finding, dotted, fail, ok, unknown

RENAMED = {
    "max_concurrent_queries": "max_ongoing_requests",
    "target_num_ongoing_requests_per_replica": "target_ongoing_requests",
}


def check_serve_config(text: str) -> Iterator[Finding]:
    try:
        config = yaml.safe_load(text)
        ServeDeploySchema.model_validate(config)
    except yaml.YAMLError as error:
        yield fail("serveConfigV2 is not YAML", str(error).splitlines()[0])
        return
    except ValidationError as error:
        for each in error.errors():
            yield fail(dotted(each["loc"], "serveConfigV2"), each["msg"])
        return
    wrong = list(unknown_keys(config, ServeDeploySchema, "serveConfigV2"))
    yield from wrong or [ok("RayService: Serve's schema takes serveConfigV2")]


def models(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in models(inner)]


def unknown_keys(value: Any, model: type[BaseModel], where: str) -> Iterator[Finding]:
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from unknown_keys(inner, model, f"{where}[{index}]")
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        field = model.model_fields.get(key)
        if not field:
            new = RENAMED.get(key)
            fix = f"write '{new}'" if new else unknown(key, model.model_fields)
            yield fail(f"Serve ignores '{where}.{key}'", fix)
        elif found := models(field.annotation):
            yield from unknown_keys(inner, found[0], f"{where}.{key}")
