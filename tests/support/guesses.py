"""Requests made up from an OpenAPI document: values that fit it, values that nearly do, and values that do not."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

Schema = Mapping[str, Any]

_WORDS = (
    "", "a", "p", "main", "refs/heads/main", "0", "1", "-1", "*", "a b", "ä😀", "\u202e", "a\nb", "\x00", "\ud800", "'\"<>&;",
    "../../etc/passwd", "https://example.org/x", "http://[", "2026-03-29T02:30:00+01:00", "1 2 3 4 5", "jobs: {}", "{", "x" * 5000,
)  # fmt: skip
_NUMBERS = (0, 1, 2, 3, -1, 100, 501, 2**31, 2**53, 2**63 - 1, 2**63, 10**30)
_ODD: Sequence[Any] = (None, True, 0, 1.5, "x", [], {}, [None], {"": None}, [[[]]], -(2**63), 1e308)


class Guess(NamedTuple):
    """A request: `path` with its query, and its body as JSON where it has one."""

    method: str
    path: str
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path[:200]} {str(self.body)[:500]}"


class Guesser:
    """Makes the same guesses for the same `seed`."""

    def __init__(self, document: Mapping[str, Any], seed: int) -> None:
        self._document = document
        self._chance = random.Random(seed)

    def operations(self) -> list[tuple[str, str, Mapping[str, Any]]]:
        """Method, path and description of each."""
        return [
            (method.upper(), path, one)
            for path, methods in self._document["paths"].items()
            for method, one in methods.items()
        ]

    def guess(self, method: str, path: str, operation: Mapping[str, Any]) -> Guess:
        """A request of this operation."""
        query: list[str] = []
        for parameter in operation.get("parameters", ()):
            value = self._text(self._value(parameter["schema"]))
            if parameter["in"] == "path":
                path = path.replace("{" + parameter["name"] + "}", value or "0")
            elif parameter["in"] == "query" and (parameter.get("required") or self._chance.random() < 0.5):
                query.append(f"{parameter['name']}={value}")
        body = operation.get("requestBody")
        made = None if body is None else self._value(body["content"]["application/json"]["schema"])
        return Guess(method, path + ("?" + "&".join(query) if query else ""), made)

    def _text(self, value: Any) -> str:
        said = value if isinstance(value, str) else str(value).lower()
        return quote(said.encode("utf-8", "replace"), safe="")

    def _value(self, schema: Schema, depth: int = 0) -> Any:
        chance = self._chance
        if chance.random() < 0.05 or depth > 8:
            return chance.choice(_ODD)
        if "$ref" in schema:
            found: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            return self._value(found, depth + 1)
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return self._value(chance.choice(schema[several]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return chance.choice(schema["enum"])
        match schema.get("type"):
            case "string":
                return self._word(schema)
            case "integer":
                return self._number(schema)
            case "number":
                return chance.choice((0.0, 1.5, -1.0, 1e9, 1e308))
            case "boolean":
                return chance.random() < 0.5
            case "array":
                return [
                    self._value(schema.get("items", {}), depth + 1)
                    for _ in range(chance.choice((0, 1, 1, 2)))
                ]
            case "object":
                return self._object(schema, depth)
            case "null":
                return None
            case _:
                return chance.choice(_ODD)

    def _word(self, schema: Schema) -> str:
        word = self._chance.choice(self._fitting(schema, _WORDS))
        return word * schema.get("minLength", 0) if word and self._chance.random() < 0.5 else word

    def _fitting(self, schema: Schema, words: Sequence[str]) -> Sequence[str]:
        fit = [
            word
            for word in words
            if schema.get("minLength", 0) <= len(word) <= schema.get("maxLength", 10**6)
        ]
        return fit if fit and self._chance.random() < 0.8 else words

    def _number(self, schema: Schema) -> int:
        least, most = schema.get("minimum", -(10**30)), schema.get("maximum", 10**30)
        fit = [number for number in _NUMBERS if least <= number <= most]
        return self._chance.choice(fit if fit and self._chance.random() < 0.8 else _NUMBERS)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        chance = self._chance
        needed = schema.get("required", ())
        made = {
            name: self._value(one, depth + 1)
            for name, one in schema.get("properties", {}).items()
            if chance.random() < (0.95 if name in needed else 0.4)
        }
        more = schema.get("additionalProperties")
        if isinstance(more, Mapping) and chance.random() < 0.7:
            made[chance.choice(_WORDS)] = self._value(more, depth + 1)  # pyright: ignore[reportUnknownArgumentType]
        elif chance.random() < 0.03:
            made["surplus"] = 1
        return made
