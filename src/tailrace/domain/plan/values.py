"""The single values of a plan file: each reader returns the value, or adds a problem and returns None."""

from __future__ import annotations

import re

from tailrace.domain.plan.durations import DURATION_FORMS, parse_duration
from tailrace.domain.plan.errors import Place, Problems, shown
from tailrace.domain.plan.model import MAX_TIMEOUT_S
from tailrace.domain.plan.nodes import Items, Mapping, Node, Scalar, describe

# Linux passes no longer string to a program (MAX_ARG_STRLEN), NAME=value and its closing NUL counted.
MAX_VARIABLE_BYTES = 128 * 1024
MAX_VARIABLES = 1000  # of the plan, and of each job
MAX_DERIVED_NAME = 60  # characters of a name that is taken from what it names
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED_PREFIX = "TAILRACE_"
# YAML 1.2 knows these and no others; YAML 1.1 would also take yes, no, on and off.
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def read_text(node: Node, subject: str, problems: Problems) -> str | None:
    """Read a value as the text that stands in the file: `3.10` is "3.10", `on` is "on"; nothing is refused."""
    if not isinstance(node, Scalar) or node.is_null:
        problems.add(node.place, f"{subject} must be text; found {describe(node)}")
        return None
    # Escapes between double quotes can make what the file itself may not hold.
    if "\0" in node.text:
        problems.add(node.place, f"{subject} holds a NUL character, which no program can be given")
        return None
    if any("\ud800" <= character <= "\udfff" for character in node.text):
        problems.add(node.place, f"{subject} holds half of a character (an escape from \\uD800 to \\uDFFF)")
        return None
    return node.text


def read_boolean(node: Node, subject: str, problems: Problems) -> bool | None:
    """Read `true` or `false`."""
    if isinstance(node, Scalar) and node.plain and node.text in _BOOLEANS:
        return _BOOLEANS[node.text]
    problems.add(node.place, f"{subject} must be true or false; found {describe(node)}")
    return None


def read_whole(node: Node, subject: str, least: int, most: int, problems: Problems) -> int | None:
    """Read a whole number from `least` to `most`."""
    text = node.text if isinstance(node, Scalar) and node.plain else ""
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) < 10 and least <= int(text) <= most:
        return int(text)
    problems.add(
        node.place, f"{subject} must be a whole number from {least} to {most}; found {describe(node)}"
    )
    return None


def read_duration(node: Node, subject: str, problems: Problems) -> int | None:
    """Read a duration in seconds, more than 0 and at most 7 days."""
    seconds = parse_duration(node.text) if isinstance(node, Scalar) else None
    if seconds is None:
        problems.add(
            node.place, f"{subject} must be a duration; found {describe(node)}; allowed: {DURATION_FORMS}"
        )
        return None
    if not 0 < seconds <= MAX_TIMEOUT_S:
        problems.add(
            node.place, f"{subject} must be more than 0 and at most 168h (7 days); found {describe(node)}"
        )
        return None
    return seconds


def read_names(node: Node, subject: str, problems: Problems) -> list[tuple[str, Place]]:
    """Read one text or a list of texts, each with its place; what is no text is left out with a problem."""
    if not isinstance(node, Items) and (not isinstance(node, Scalar) or node.is_null):
        problems.add(node.place, f"{subject} must be text or a list of texts; found {describe(node)}")
        return []
    names: list[tuple[str, Place]] = []
    for item in node.items if isinstance(node, Items) else (node,):
        text = read_text(item, f"each of {subject}", problems)
        if text is not None:
            names.append((text, item.place))
    return names


def read_variables(node: Node, subject: str, problems: Problems) -> dict[str, str]:
    """Read environment variables: names to texts, exactly as written."""
    if not isinstance(node, Mapping):
        problems.add(node.place, f"{subject} must be a mapping of names to texts; found {describe(node)}")
        return {}
    if len(node.entries) > MAX_VARIABLES:
        problems.add(
            node.entries[MAX_VARIABLES].place,
            f"{subject} may hold at most {MAX_VARIABLES} variables; found {len(node.entries)}",
        )
        return {}
    variables: dict[str, str] = {}
    for entry in node.entries:
        name = entry.key
        if not _VARIABLE_NAME.fullmatch(name):
            problems.add(
                entry.place,
                f"{shown(name)} in {subject} cannot name a variable; "
                "allowed: letters (A to Z, a to z), digits and _, not beginning with a digit",
            )
        elif name.startswith(_RESERVED_PREFIX):
            problems.add(
                entry.place,
                f"{shown(name)} in {subject} is reserved: {_RESERVED_PREFIX}… are set by Tailrace itself",
            )
        elif isinstance(entry.value, Scalar) and entry.value.is_null:
            problems.add(
                entry.place,
                f'{shown(name)} in {subject} has no value; write "" for an empty text, "null" for the word',
            )
        elif (text := read_text(entry.value, f"{shown(name)} in {subject}", problems)) is not None:
            if len(f"{name}={text}".encode()) >= MAX_VARIABLE_BYTES:
                problems.add(
                    entry.place,
                    f"{shown(name)} in {subject} is longer than the 128 KiB that a variable may be",
                )
            else:
                variables[name] = text
    return variables


def derived_name(text: str) -> str:
    """The first line of `text` that is not blank, shortened, without what cannot be printed."""
    line = next(line for line in text.splitlines() if line.strip())
    name = "".join(c if c.isprintable() else " " for c in line).strip()
    name = " ".join(name.split()) or "run"
    return name if len(name) <= MAX_DERIVED_NAME else name[: MAX_DERIVED_NAME - 1] + "…"
