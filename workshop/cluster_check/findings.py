"""What a check found, and schema errors put into sentences that say what to write instead."""

import difflib
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "empty",
    "number": "a number",
    "object": "a mapping",
    "string": "a text",
}


class NotReadable(ValueError):
    """The file cannot be checked at all; the message is one sentence."""


@dataclass(frozen=True)
class Finding:
    level: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"[{self.level}] {self.what}" + (f": {self.fix}" if self.fix else "")


def ok(what: str) -> Finding:
    return Finding("ok", what)


def warn(what: str, fix: str) -> Finding:
    return Finding("warn", what, fix)


def fail(what: str, fix: str) -> Finding:
    return Finding("fail", what, fix)


def did_you_mean(word: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant: machine_type for machineType, dsiks for disks."""
    plain = {re.sub(r"[-_]", "", name).lower(): name for name in names}
    close = difflib.get_close_matches(re.sub(r"[-_]", "", str(word)).lower(), plain, n=1)
    return plain[close[0]] if close else None


def unknown(word: str, names: Iterable[str]) -> str:
    """The fix for a key that nobody reads."""
    names = sorted(names)
    meant = did_you_mean(word, names)
    if meant:
        return f"did you mean '{meant}'?"
    return textwrap.shorten(
        "remove it; known here are " + ", ".join(names), 160, placeholder=" ..."
    )


def dotted(path: Iterable[Any], start: str = "") -> str:
    """Such as available_node_types.head.node_config.disks[0].boot."""
    text = start
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def kind_of(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
    return TYPES[names.get(type(value), "null" if value is None else "number")]


def shown(value: Any) -> str:
    return textwrap.shorten(repr(value), 60, placeholder="...")


def from_schema(error: Any, start: str = "") -> Iterator[Finding]:
    """A jsonschema.ValidationError, as findings."""
    where = dotted(error.absolute_path, start)
    if error.validator == "additionalProperties":
        names = error.schema.get("properties", {})
        for key in (key for key in error.instance if key not in names):
            yield fail(f"'{key}' is not a key of {where or 'the file'}", unknown(key, names))
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        yield fail(f"{where or 'the file'} has no {' and no '.join(missing)}", "add it")
    elif error.validator == "type":
        wanted = error.validator_value
        wanted = [wanted] if isinstance(wanted, str) else wanted
        is_ = kind_of(error.instance)
        is_ += f", {shown(error.instance)}" if not isinstance(error.instance, dict | list) else ""
        yield fail(f"{where} is {is_}", "it must be " + " or ".join(TYPES[t] for t in wanted))
    elif error.validator == "enum":
        meant = did_you_mean(str(error.instance), map(str, error.validator_value))
        choice = ", ".join(map(str, error.validator_value))
        fix = f"did you mean {meant}?" if meant else f"it must be one of {choice}"
        yield fail(f"{where} is {shown(error.instance)}", textwrap.shorten(fix, 160))
    elif error.validator in ("anyOf", "oneOf") and error.context:
        first = max(error.context, key=lambda inner: len(inner.absolute_path))
        yield from from_schema(first, start)
    else:
        yield fail(where or "the file", textwrap.shorten(error.message, 160))


def text_keys(value: Any) -> Any:
    """The same with keys that are all texts: YAML also reads numbers, `on` and `null` as keys."""
    if isinstance(value, dict):
        return {str(key): text_keys(inner) for key, inner in value.items()}
    return [text_keys(inner) for inner in value] if isinstance(value, list) else value


def odd_keys(value: Any, path: tuple = ()) -> Iterator[Finding]:
    """Keys that are no texts."""
    inside = value.items() if isinstance(value, dict) else ()
    for key, _ in inside:
        if not isinstance(key, str):
            yield fail(f"{dotted(path[1:]) or 'the file'} has the key {key!r}", "put it in quotes")
    for key, inner in enumerate(value) if isinstance(value, list) else inside:
        yield from odd_keys(inner, (*path, key))


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """Every value that is neither a mapping nor a list, with the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value
