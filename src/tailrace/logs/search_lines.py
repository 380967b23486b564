"""Finds the matching lines in bytes that are in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tailrace.logs.search_pattern import SearchPattern

EXCERPT_CHARACTERS = 400
BEFORE_BYTES = 120
"""How much of a long line is shown before its first match."""

MOST_RANGES = 100


class FoundLine(NamedTuple):
    """A matching line: `begin` and `stop` (its newline is not part of it) and its first match, as places in the bytes."""

    begin: int
    stop: int
    match: int
    text: str
    ranges: tuple[tuple[int, int], ...]


def find_lines(pattern: SearchPattern, data: bytes, start: int, stop: int) -> Iterator[FoundLine]:
    """The matching lines in data[start:stop], which is whole lines but for the newline of the last.

    A match that is empty has no range.
    """
    at = start
    while at < stop:
        match = pattern.find(data, at, stop)
        if match is None:
            return
        begin = data.rfind(b"\n", at, match[0]) + 1 or at
        if begin == stop:
            return  # an empty match behind the last newline, where no line is
        line_stop = data.find(b"\n", match[0], stop)
        if line_stop < 0:
            line_stop = stop
        text, ranges = _excerpt(pattern, data, begin, line_stop, match)
        yield FoundLine(begin, line_stop, match[0], text, ranges)
        at = line_stop + 1


def _excerpt(
    pattern: SearchPattern, data: bytes, begin: int, stop: int, match: tuple[int, int]
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """At most EXCERPT_CHARACTERS of the line around its first match, and where in it the matches are (UTF-16)."""
    start, end = _window(data, begin, stop, match[0])
    parts: list[str] = []
    ranges: list[tuple[int, int]] = []
    room, units, at = EXCERPT_CHARACTERS, 0, start
    for first, last in [*_matches(pattern, data, stop, end, match), (end, end)]:
        for part_stop, matched in ((first, False), (last, True)):
            part = data[at:part_stop].decode(errors="replace")[:room]
            at = part_stop
            if not part:
                continue
            length = len(part) if part.isascii() else len(part.encode("utf-16-le")) // 2
            if matched:
                ranges.append((units, units + length))
            parts.append(part)
            units += length
            room -= len(part)
    return "".join(parts), tuple(ranges)


def _matches(
    pattern: SearchPattern, data: bytes, stop: int, end: int, match: tuple[int, int] | None
) -> Iterator[tuple[int, int]]:
    """The matches that begin before `end`, cut there, from the line's first one on."""
    for _ in range(MOST_RANGES):
        if match is None or match[0] >= end:
            return
        yield match[0], min(match[1], end)
        match = pattern.find(data, max(match[1], match[0] + 1), stop)


def _window(data: bytes, begin: int, stop: int, match: int) -> tuple[int, int]:
    """The bytes of a line that are shown: whole characters, without a carriage return at the end."""
    start = begin
    if stop - begin > EXCERPT_CHARACTERS and match - begin > BEFORE_BYTES:
        start = match - BEFORE_BYTES
        for _ in range(3):
            start += data[start] & 0xC0 == 0x80 and start < match
    end = start + 4 * EXCERPT_CHARACTERS
    if end < stop:
        for _ in range(3):
            end -= data[end] & 0xC0 == 0x80
        return start, end
    return start, stop - data.endswith(b"\r", begin, stop)
