"""Which files of a workspace the patterns of an `artifacts` step mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import re2  # pyright: ignore[reportMissingTypeStubs]

_re2: Any = re2
_WILD = frozenset("*?[")
UNSEEN = ".git"
"""What no pattern means, wherever it is: it holds more than the sources, and borrows from the machine's mirror."""


class Selection:
    """Patterns of paths below a folder; each means what it matches and, where that is a folder, all within.

    `*` and `?` match within one part of a path, hidden files too; `[a-c]` one of these characters, `[!a-c]` any other; `**`
    any number of parts. What a pattern with `!` before it matches is left out, whatever the order. The time that matching
    takes is linear in the path's length.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        meant = [pattern.rstrip("/") for pattern in patterns if not pattern.startswith("!")]
        self._wanted = {pattern: _compile(pattern) for pattern in meant}
        self._not_wanted = [_compile(pattern[1:].rstrip("/")) for pattern in patterns if pattern[0] == "!"]
        self._beginnings = [_literal_parts(pattern) for pattern in meant]
        self._used: set[str] = set()

    def takes(self, path: str) -> bool:
        """Whether this file is meant."""
        path = path.encode(errors="replace").decode()  # a name need not be UTF-8
        if any(pattern.fullmatch(path) for pattern in self._not_wanted):
            return False
        found = [text for text, pattern in self._wanted.items() if pattern.fullmatch(path)]
        self._used.update(found)
        return bool(found)

    def may_hold(self, folder: str) -> bool:
        """Whether something in this folder may be meant: a walk need not enter any other."""
        folder = folder.encode(errors="replace").decode()
        parts = folder.split("/")
        if parts[-1] == UNSEEN or any(pattern.fullmatch(folder) for pattern in self._not_wanted):
            return False
        return any(parts[: len(begin)] == begin or begin[: len(parts)] == parts for begin in self._beginnings)

    @property
    def unused(self) -> list[str]:
        """The patterns that matched no file so far."""
        return [text for text in self._wanted if text not in self._used]


def _literal_parts(pattern: str) -> list[str]:
    """The parts of a pattern before its first wild one."""
    parts: list[str] = []
    for part in pattern.split("/"):
        if _WILD & set(part):
            break
        parts.append(part)
    return parts


def _compile(pattern: str) -> Any:
    parts = pattern.split("/")
    text = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            text += ".*" if last else "(?:[^/]+/)*"
        else:
            text += _part(part) + ("" if last else "/")
    return _expression(f"{text}(?:/.*)?")


def _expression(text: str) -> Any:
    options = _re2.Options()
    options.log_errors = False
    options.dot_nl = True
    return _re2.compile(text, options)


def _part(part: str) -> str:
    text, at = "", 0
    while at < len(part):
        character = part[at]
        at += 1
        if character == "*":
            text += "[^/]*"
        elif character == "?":
            text += "[^/]"
        elif character == "[" and (end := part.find("]", at + 1 + (part[at : at + 1] == "!"))) >= 0:
            text += _class(part[at:end])
            at = end + 1
        else:
            text += _re2.escape(character)
    return text


def _class(inside: str) -> str:
    negated = inside.startswith("!")
    body = inside[negated:]
    safe = "".join(f"\\{c}" if c in "\\^[]&~|" else c for c in body)
    try:
        _expression(f"[{safe}]")
    except _re2.error:  # a range that runs backwards, such as z-a: the characters themselves
        safe = _re2.escape(body)
    return f"[^/{safe}]" if negated else f"[{safe}]"
