"""What is wrong with what somebody sent, in words: where, what was found, and what is allowed."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core.core_schema import ErrorType

SHOWN = 80
"""Characters of what was found that are shown."""
_HIDDEN = re.compile(r"secret|password|token|key|credential|^value$|^parameters$")
"""Of the names of fields whose content is shown to nobody, also when it is wrong."""
_QUOTED = re.compile("'([^']*)'")
_THEIRS = set(get_args(ErrorType))
_NAME = "a name: letters, digits, '_', '.' and '-', at most 100, a letter or digit first"
_PATTERNS = {r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$": _NAME}


class Fault(NamedTuple):
    """Where, such as `body.settings.interval_s`, and what."""

    place: str
    message: str


def tell_fault(fault: Mapping[str, Any], body: Any) -> Fault:
    """One of pydantic's errors; `body` is the type of the request's body, None where it has none."""
    loc: tuple[object, ...] = fault["loc"]
    if fault["type"] == "json_invalid":
        return Fault("body", f"it is no JSON: {fault['ctx'].get('error', '')} at character {loc[-1]}")
    hidden = any(isinstance(part, str) and _HIDDEN.search(part.lower()) for part in loc)
    if fault["type"] not in _THEIRS:  # one of our own: it says all
        return Fault(".".join(str(part) for part in loc), str(fault["msg"]))
    tell = _WORDS.get(fault["type"])
    allowed = tell(fault.get("ctx") or {}) if tell is not None else _message(fault)
    if fault["type"] == "extra_forbidden":
        known = sorted(_fields(body, loc[1:-1])) if loc[0] == "body" else []
        allowed = f"this is not known here{'; allowed are ' if known else ''}{', '.join(known)}"
    elif fault["type"] not in _SAID and not hidden:
        allowed = f"found {_found(fault.get('input'))}; {allowed}"
    return Fault(".".join(str(part) for part in loc), allowed)


def _message(fault: Mapping[str, Any]) -> str:
    words = str(fault["msg"])
    return words[:1].lower() + words[1:]


def _found(value: object) -> str:
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            text = value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
            return repr(text)
        case int() | float():
            return repr(value)[:SHOWN]
        case dict():
            return "an object"
        case list() | tuple() | set() | frozenset():
            return f"a list of {len(value)}"  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return "something else"


def _allowed(expected: str) -> str:
    """Pydantic lists values as 'a', 'b' or 'c', and members of an enumeration by their repr."""
    return f"allowed are {', '.join(re.findall(_QUOTED, expected)) or expected}"


Tell = Callable[[Mapping[str, Any]], str]
_WORDS: dict[str, Tell] = {
    "missing": lambda _: "this is needed, and is not there",
    "extra_forbidden": lambda _: "",
    "value_error": lambda c: str(c.get("error", "")),
    "string_pattern_mismatch": lambda c: (
        f"expected {_PATTERNS.get(c['pattern'], 'text that fits ' + c['pattern'])}"
    ),
    "string_too_short": lambda c: f"expected {c['min_length']} or more characters",
    "string_too_long": lambda c: f"expected {c['max_length']} characters at most",
    "too_short": lambda c: f"expected {c['min_length']} or more of them",
    "too_long": lambda c: f"expected {c['max_length']} of them at most",
    "greater_than": lambda c: f"expected more than {c['gt']}",
    "greater_than_equal": lambda c: f"expected {c['ge']} or more",
    "less_than": lambda c: f"expected less than {c['lt']}",
    "less_than_equal": lambda c: f"expected {c['le']} or less",
    "literal_error": lambda c: _allowed(c["expected"]),
    "enum": lambda c: _allowed(c["expected"]),
    "union_tag_invalid": lambda c: (
        f"{c['discriminator']}: found {_found(c['tag'])}; {_allowed(c['expected_tags'])}"
    ),
    "union_tag_not_found": lambda c: f"{c['discriminator']} is needed, which says what kind it is of",
    **dict.fromkeys(("string_type", "string_unicode"), lambda _: "expected text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), lambda _: "expected true or false"),
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "int_parsing_size"), lambda _: "expected a whole number"
    ),
    **dict.fromkeys(("float_type", "float_parsing"), lambda _: "expected a number"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), lambda _: "expected a list"),
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type"), lambda _: "expected an object, as JSON"
    ),
}
_SAID = {"missing", "value_error", "union_tag_invalid", "union_tag_not_found"}
"""These say themselves what was found, as far as there is anything to say."""


def _fields(body: Any, path: Sequence[object]) -> set[str]:
    """The names of the fields of what stands at this path in a body of this type; empty where that is not known."""
    found = _members(body)
    for part in path:
        found = [inner for one in found for inner in _within(one, part)]
    return {
        field.alias or name
        for one in found
        if isinstance(one, type) and issubclass(one, BaseModel)
        for name, field in one.model_fields.items()
    }


def _within(kind: Any, part: object) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                return _members(field.annotation)
        # The tag by which one of several kinds was chosen stands in the path too.
        tags = [
            get_args(field.annotation)
            for field in kind.model_fields.values()
            if _is_literal(field.annotation)
        ]
        return [kind] if any(part in [str(getattr(tag, "value", tag)) for tag in of] for of in tags) else []
    arguments = get_args(kind)
    return _members(arguments[-1 if get_origin(kind) in (dict, Mapping) else 0]) if arguments else []


def _is_literal(annotation: Any) -> bool:
    return get_origin(annotation) is Literal


def _members(kind: Any) -> list[Any]:
    """The kinds of which one is meant, without what is said about them."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [inner for one in get_args(kind) for inner in _members(one)]
    return [kind]
