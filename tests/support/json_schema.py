"""As much of JSON Schema as Tailrace's own schemas use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}
_KNOWN = frozenset(
    (
        *("$schema", "$defs", "$ref", "title", "description", "type", "properties", "additionalProperties"),
        *("required", "items", "anyOf", "enum", "pattern", "minItems", "maxItems", "minProperties"),
        *("maxProperties", "minimum", "maximum", "maxLength", "propertyNames"),
    )
)


def faults_of(value: Any, schema: Any, root: Mapping[str, Any], place: str = "") -> list[str]:
    """What a schema says against a value; an unknown keyword is an error of the schema."""
    if isinstance(schema, bool):
        return [] if schema else [f"{place} is not allowed"]
    unknown = set(schema) - _KNOWN
    assert not unknown, f"the schema uses {unknown}"
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return faults_of(value, target, root, place)
    if "anyOf" in schema:
        found = [faults_of(value, one, root, place) for one in schema["anyOf"]]
        if all(found):
            return [f"{place} fits none of {len(found)}: {found}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{place} is none of {schema['enum']}"]
    types = schema.get("type", list(_TYPES))
    if not any(_is(value, one) for one in ([types] if isinstance(types, str) else types)):
        return [f"{place} is {value!r}, no {types}"]
    held: Any = value
    match value:
        case dict():
            return _of_object(held, schema, root, place)
        case list():
            faults = _bounds(len(held), schema, "Items", place)
            items = schema.get("items", True)
            return faults + [
                f for n, one in enumerate(held) for f in faults_of(one, items, root, f"{place}/{n}")
            ]
        case str():
            if "pattern" in schema and not re.search(schema["pattern"], value):
                return [f"{place} is {value!r}, not like {schema['pattern']}"]
            return [f"{place} is too long"] if len(value) > schema.get("maxLength", len(value)) else []
        case int() | float() if not isinstance(value, bool):
            within = schema.get("minimum", value) <= value <= schema.get("maximum", value)
            return [] if within else [f"{place} is {value}, out of bounds"]
        case _:
            return []


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _of_object(value: dict[str, Any], schema: Any, root: Mapping[str, Any], place: str) -> list[str]:
    faults = _bounds(len(value), schema, "Properties", place)
    faults += [f"{place} lacks {name}" for name in schema.get("required", ()) if name not in value]
    for name, one in value.items():
        faults += faults_of(name, schema.get("propertyNames", True), root, f"the name {place}/{name}")
        inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
        faults += faults_of(one, inner, root, f"{place}/{name}")
    return faults


def _bounds(size: int, schema: Any, what: str, place: str) -> list[str]:
    within = schema.get(f"min{what}", size) <= size <= schema.get(f"max{what}", size)
    return [] if within else [f"{place} has {size} {what}"]
