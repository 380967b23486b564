"""What a search looks for: literal text or a regular expression, matched within one line at a time."""

from __future__ import annotations

import re
from typing import Any

import re2  # pyright: ignore[reportMissingTypeStubs]

from tailrace.domain.errors import Invalid

MOST_PATTERN_BYTES = 4096
PATTERN_MEMORY_BYTES = 16 * 1024 * 1024
"""What RE2 may use for one pattern: a larger program is refused; states beyond it are made again, which is slower."""

SYNTAX = "https://github.com/google/re2/wiki/Syntax"

# What would see beyond the line, or beyond the stretch of whole lines in which RE2 looks for it.
_BEYOND_LINES = re.compile(
    rb"\\Q.*?(?:\\E|\Z)"
    rb"|(?P<escape>\\[AzC])"
    rb"|\\."
    rb"|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]"
    rb"|(?P<flag>\(\?[a-zA-Z]*-[a-zA-Z]*m)",
    re.DOTALL,
)

_re2: Any = re2


class SearchPattern:
    """A pattern that runs in linear time over UTF-8 and releases the interpreter while it does.

    No match spans lines. `^` and `$` are a line's begin and end; a carriage return before the newline belongs to the line.
    `.` matches no bytes that are not UTF-8.
    """

    def __init__(self, text: str, *, regex: bool = False, case: bool = False) -> None:
        """`case` distinguishes upper and lower case. Raises Invalid, which says what RE2 says and where."""
        pattern = text.encode(errors="replace")
        if not pattern:
            raise Invalid(
                "q: there is nothing to search for; give text, or with regex=1 a regular expression"
            )
        if len(pattern) > MOST_PATTERN_BYTES:
            raise Invalid(
                f"q: {len(pattern)} bytes are too long; at most {MOST_PATTERN_BYTES} are searched for"
            )
        if not regex and b"\n" in pattern:
            raise Invalid(
                "q: it holds a line break, and each line is searched by itself; search for one line of it"
            )
        self._find = _compile(pattern, case=case, literal=not regex)
        if regex:
            _refuse_beyond_lines(pattern)
            self._find = _compile(b"(?m)" + pattern, case=case, literal=False)

    def find(self, data: bytes, start: int, stop: int) -> tuple[int, int] | None:
        """The first match in data[start:stop]: its first byte and the byte after its last. It may be empty."""
        match = self._find(data, start, stop)
        return None if match is None else match.span()


def _compile(pattern: bytes, *, case: bool, literal: bool) -> Any:
    options = _re2.Options()
    options.literal = literal
    options.case_sensitive = case
    options.never_nl = True
    options.never_capture = True
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY_BYTES
    try:
        return _re2.compile(pattern, options).search
    except _re2.error as error:
        raise Invalid(_fault(pattern, error.args[0] if error.args else b"")) from None
    finally:
        _re2.purge()  # its cache would keep the last 128 patterns, with all their states


def _fault(pattern: bytes, said: Any) -> str:
    words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    if "too large" in words:
        return f"q: this regular expression needs more than {PATTERN_MEMORY_BYTES // 2**20} MiB; repeat less"
    what, _, part = words.rpartition(": ")
    at = pattern.find(part.encode()) if part and part.encode() != pattern else -1
    if "missing )" in what:
        at = _unclosed(pattern)
    place = f" at character {len(pattern[:at].decode(errors='replace')) + 1}" if at >= 0 else ""
    return f"q: not a regular expression{place}: {words}; RE2's syntax is allowed ({SYNTAX})"


def _unclosed(pattern: bytes) -> int:
    """Where the last group begins that is not closed."""
    begun: list[int] = []
    for token in re.finditer(rb"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]", pattern, re.DOTALL):
        if token[0] == b"(":
            begun.append(token.start())
        elif token[0] == b")" and begun:
            begun.pop()
    return begun[-1] if begun else -1


def _refuse_beyond_lines(pattern: bytes) -> None:
    for token in _BEYOND_LINES.finditer(pattern):
        at = len(pattern[: token.start()].decode(errors="replace")) + 1
        if token["flag"]:
            raise Invalid(
                f"q: flag m at character {at} cannot be switched off: ^ and $ are the begin and end of a line"
            )
        if token["escape"]:
            said = token["escape"].decode()
            instead = {"\\A": "use ^", "\\z": "use $", "\\C": "use ."}[said]
            raise Invalid(
                f"q: {said} at character {at} looks beyond a line, and each is searched alone: {instead}"
            )
