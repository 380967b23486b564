"""JSON payloads into the few fields that we need, with errors that name the place.

Models are tolerant of what they do not know and strict about what they do. Every field carries a description: it is
what an error says was expected there.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from tailrace.domain.errors import Invalid

P = TypeVar("P", bound="Payload")

_SHOWN = 60  # characters of what was found
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # both halves: one character
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
_POSITION = re.compile(r"(?P<what>.*?) at line (?P<line>\d+) column (?P<column>\d+)", re.DOTALL)


class Payload(BaseModel):
    """A part of a payload; alone, it accepts any JSON object."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


def read_payload(model: type[P], body: bytes) -> P:
    """The model's fields in this JSON text; halves of characters in it, which no text can hold, are replaced.

    Raises Invalid. For text that is not JSON its `errors` holds line, column (both from 1) and message;
    for JSON of another shape, path and message of every place that is wrong.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as refused:
        # What was found is looked at only where it can be short.
        large = any(error["type"] == "too_long" for error in refused.errors(include_input=False))
        errors = refused.errors(include_url=False, include_input=not large)
    if errors[0]["type"] == "json_invalid":
        if (whole := _ESCAPE.sub(_whole, body)) != body:
            return read_payload(model, whole)
        raise _not_json(str(errors[0]["ctx"]["error"]) if "ctx" in errors[0] else errors[0]["msg"])
    places = tuple(_place(model, error["loc"], error["type"], error.get("input")) for error in errors)
    first = places[0]
    more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
    raise Invalid(f"{first['path']}: {first['message']}{more}", tuple(dict[str, object](p) for p in places))


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["half"] else escape[0]


def shown(value: object) -> str:
    """A value as JSON, cut to what fits into a message."""
    text = ""
    for piece in _ENCODER.iterencode(value):  # no further than it is shown: it may be large
        text += piece
        if len(text) > _SHOWN:
            break
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def first_line(text: str, limit: int = 500) -> str | None:
    """The first line without control characters, cut to `limit` characters; None when nothing is left."""
    line = "".join(c for c in text.strip().partition("\n")[0] if c >= " " and c != "\x7f").strip()
    if len(line) > limit:
        line = line[: limit - 1] + "…"
    return line or None


def _not_json(complaint: str) -> Invalid:
    match = _POSITION.search(complaint)
    if match is None:
        return Invalid(f"the payload is not JSON: {complaint}")
    what, line, column = match["what"], int(match["line"]), int(match["column"])
    return Invalid(
        f"the payload is not JSON: {what} at line {line}, column {column}",
        ({"line": line, "column": column, "message": what},),
    )


def _place(model: type[BaseModel], loc: tuple[int | str, ...], kind: str, found: object) -> dict[str, str]:
    what = {"missing": "nothing", "too_long": "more"}.get(kind) or shown(found)
    path = ".".join(str(part) for part in loc) or "payload"
    return {"path": path, "message": f"expected {_expected(model, loc)}, found {what}"}


def _expected(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """The description of the field at this place."""
    expected = "an object"
    inner: type[BaseModel] | None = model
    for part in loc:
        field = inner.model_fields.get(str(part)) if inner else None
        if field is None:
            break
        expected = field.description or expected
        inner = _model_of(field.annotation)
    return expected


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
