"""Which bytes of a log a request wants: bytes, lines, the last lines, or moments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from tailrace.api.numbers import LARGEST, number_in
from tailrace.api.times import moment_in
from tailrace.domain.errors import Invalid, NotFound
from tailrace.domain.spans import Stream
from tailrace.logs.base import LogReader

MOST_LINES = 1_000_000

_WAYS = (("from", "to"), ("lines",), ("tail",), ("at", "until"))
_LINES = re.compile(r"([0-9]{1,18})(?:(-)([0-9]{1,18})?)?\Z", re.ASCII)
_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*\Z", re.ASCII)


class Unsatisfiable(Exception):
    """A Range that the log does not have."""


class StretchWish(NamedTuple):
    """What the parameters ask for, at most one way of it: bytes, lines (both included), last lines, or ms since the epoch.

    `chosen` is False where they ask for the whole log.
    """

    chosen: bool = False
    start: int | None = None
    stop: int | None = None
    first_line: int | None = None
    last_line: int | None = None
    tail: int | None = None
    at: int | None = None
    until: int | None = None


def stretch_wish(query: Mapping[str, str]) -> StretchWish:
    """Read the parameters; raises Invalid, which names the wrong one and what is allowed."""
    ways = [[name for name in way if name in query] for way in _WAYS]
    given = [way for way in ways if way]
    if len(given) > 1:
        raise Invalid(
            f"{given[1][0]}: not together with {given[0][0]}; choose bytes (from, to), lines, the last lines (tail)"
            " or moments (at, until)"
        )
    start, stop = number_in(query, "from"), number_in(query, "to")
    if start is not None and stop is not None and start > stop:
        raise Invalid(f"from: {start} is behind to: {stop}")
    first, last = _lines(query.get("lines"))
    at, until = moment_in(query, "at"), moment_in(query, "until")
    if at is not None and until is not None and at > until:
        raise Invalid("at: this moment is after until")
    return StretchWish(bool(given), start, stop, first, last, number_in(query, "tail", MOST_LINES), at, until)


def find_stretch(logs: LogReader, log: int, size: int, wish: StretchWish) -> tuple[int, int]:
    """The bytes [start, stop) of the first `size` that are wished for; what lies behind the end is empty.

    Blocks: to be called in a thread.
    """
    try:
        start, stop = _find(logs, log, size, wish) if size else (0, 0)
    except NotFound:
        if size:
            raise
        start, stop = 0, 0
    stop = min(stop, size)
    return min(start, stop), stop


def _find(logs: LogReader, log: int, size: int, wish: StretchWish) -> tuple[int, int]:
    if wish.tail is not None:
        return logs.offset_of_tail(log, wish.tail), size
    if wish.first_line is not None:
        start = logs.offset_of_line(log, wish.first_line)
        if wish.last_line is None or start >= size:
            return start, size
        return start, logs.offset_of_line(log, wish.last_line + 1)
    if wish.at is not None or wish.until is not None:
        start = 0 if wish.at is None else logs.offset_of_time(log, wish.at)
        return start, size if wish.until is None else logs.offset_of_time(log, wish.until)
    return wish.start or 0, size if wish.stop is None else wish.stop


def read_streams(
    logs: LogReader, log: int, start: int, stop: int, streams: frozenset[Stream] | None
) -> bytes:
    """What these streams wrote of the bytes [start, stop), joined; all of it where they are None."""
    data = logs.read(log, start, stop)
    if streams is None:
        return data
    spans = logs.spans(log, start, stop)
    stops = [span.offset for span in spans[1:]] + [stop]
    return b"".join(
        data[span.offset - start : end - start]
        for span, end in zip(spans, stops, strict=True)
        if span.stream in streams
    )


def range_of(header: str, size: int) -> tuple[int, int] | None:
    """The stretch that a Range header names; None for a header that is to be ignored (several ranges, other units).

    Raises Unsatisfiable.
    """
    match = _RANGE.match(header)
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        length = int(match[2])
        if not length or not size:
            raise Unsatisfiable
        return max(size - length, 0), size
    start = int(match[1])
    stop = int(match[2]) + 1 if match[2] else size
    if stop <= start and match[2]:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, min(stop, size)


def _lines(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    match = _LINES.match(text)
    if match is None or int(match[1]) == 0:
        raise Invalid(
            f"lines: {text[:40]!r} is not understood; allowed are 5-9 (both included), 5- and 5, counted from 1,"
            " and tail=9 for the last nine"
        )
    first = int(match[1])
    last = int(match[3]) if match[3] else None if match[2] else first
    if last is not None and last < first:
        raise Invalid(f"lines: {first} is behind {last}")
    return first, None if last is None else min(last, LARGEST - 1)
