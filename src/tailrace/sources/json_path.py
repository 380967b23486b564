"""Where a value stands in a JSON document: `a.b[0].c`, with names in quotes where they are no words."""

from __future__ import annotations

import re
from typing import Any, cast

from tailrace.domain.errors import Invalid

_PART = re.compile(
    r'\.?(?:(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|(?P<quoted>"(?:[^"\\]|\\.)*"))|\[(?P<index>-?[0-9]{1,9})\]'
)


def pick(document: Any, path: str) -> Any:
    """What stands there, None where nothing does.

    `name`, `name.name`, `"any name"`, `[0]` and, from the end, `[-1]`, one after another. Raises Invalid for another path.
    """
    at, found = 0, document
    while at < len(path):
        part = _PART.match(path, at)
        joined = path[at] in ".[" if at else path[at] != "."
        if part is None or not joined:
            raise Invalid(
                f"path {path[:100]!r}: at character {at + 1}: expected a path such as items[0].version"
            )
        found = _step(found, part)
        at = part.end()
    return found


def _step(found: Any, part: re.Match[str]) -> Any:
    if part["index"] is not None:
        index = int(part["index"])
        items = cast("list[Any]", found) if isinstance(found, list) else []
        return items[index] if -len(items) <= index < len(items) else None
    name = part["name"] or re.sub(r"\\(.)", r"\1", part["quoted"][1:-1])
    return cast("dict[str, Any]", found).get(name) if isinstance(found, dict) else None
