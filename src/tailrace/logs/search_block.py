"""One stretch of one log, searched: the lines that are whole within it, and what joins it to the stretches beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from tailrace.domain.errors import NotFound
from tailrace.domain.spans import Span, Stream
from tailrace.logs.base import LogReader
from tailrace.logs.search_lines import find_lines
from tailrace.logs.search_pattern import SearchPattern

LINE_BYTES = 4 * 1024 * 1024
"""No less than a block has: a line within one is never too long."""

SPANS_AT_ONCE = 32


class LogHit(NamedTuple):
    """A matching line: `line` is counted from 1, `offset` (bytes) is its first match, `next` begins the line after it.

    `text` is at most 400 characters of it, `ranges` are the matches in them, counted in UTF-16 code units; `span` tells
    where the first match came from.
    """

    line: int
    offset: int
    next: int
    text: str
    ranges: tuple[tuple[int, int], ...]
    span: Span | None


@dataclass(frozen=True)
class SearchWish:
    """What to look for, in what some `streams` wrote (None: all); at most `most` matching lines of each log."""

    pattern: SearchPattern
    streams: frozenset[Stream] | None
    most: int
    line_bytes: int = LINE_BYTES


class Seam(NamedTuple):
    """The begin of a line whose end was not seen yet, and where in the log it begins."""

    start: int
    data: bytes


class SearchedBlock(NamedTuple):
    """`hits` are those in the lines that are whole within the block; `head` ends the line that it begins in (all of it
    where it has no newline: then `tail` is None), `tail` begins its last line."""

    stop: int
    head: bytes
    hits: list[LogHit]
    tail: Seam | None


def search_block(logs: LogReader, log: int, start: int, stop: int, wish: SearchWish) -> SearchedBlock:
    """Search [start, stop). Raises NotFound when the log was removed meanwhile, OSError when it cannot be read."""
    if start >= stop:
        return SearchedBlock(stop, b"", [], None)
    data = logs.read(log, start, stop)
    if len(data) < stop - start:
        raise NotFound("log", f"{log} from byte {start + len(data)} on: it was removed while it was searched")
    first = data.find(b"\n") + 1
    if not first:
        return SearchedBlock(stop, data, [], None)
    last = data.rfind(b"\n") + 1
    hits = _hits(logs, log, start, data, first, last, wish)
    return SearchedBlock(stop, data[:first], list(hits), Seam(start + last, data[last:]))


def join_block(
    logs: LogReader, log: int, before: Seam, block: SearchedBlock, wish: SearchWish, *, ends: bool
) -> tuple[list[LogHit], Seam]:
    """The hits of a block, those in lines that began before it included, and the seam after it; `ends`: the log does.

    A line of more than `line_bytes` is searched in pieces of so many bytes, as if each were a line.
    """
    line = Seam(before.start, before.data + block.head)
    hits: list[LogHit] = []
    whole = block.tail is not None
    line = _cut(logs, log, line, len(line.data) - whole, wish, hits)
    if block.tail is not None:
        _search_seam(logs, log, line, wish, hits)
        hits += block.hits
        line = block.tail
    if ends:
        line = _cut(logs, log, line, len(line.data), wish, hits)
        _search_seam(logs, log, line, wish, hits)
    return hits[: wish.most], line


def _cut(logs: LogReader, log: int, line: Seam, length: int, wish: SearchWish, hits: list[LogHit]) -> Seam:
    """Search the pieces of a line that is too long; the rest of it. `length` is without its newline."""
    at = 0
    while length - at > wish.line_bytes:
        stop = at + wish.line_bytes
        _search_seam(logs, log, Seam(line.start + at, line.data[at:stop]), wish, hits)
        at = stop
    return Seam(line.start + at, line.data[at:]) if at else line


def _search_seam(logs: LogReader, log: int, line: Seam, wish: SearchWish, hits: list[LogHit]) -> None:
    if line.data:
        hits += _hits(logs, log, line.start, line.data, 0, len(line.data), wish)


def _hits(
    logs: LogReader, log: int, base: int, data: bytes, start: int, stop: int, wish: SearchWish
) -> Iterator[LogHit]:
    """The hits in data[start:stop]; the data begins at `base` in the log."""

    def found() -> Iterator[LogHit]:
        spans = _Spans(logs, log, base + stop)
        line, counted = 0, 0
        for each in find_lines(wish.pattern, data, start, stop):
            span = spans.at(base + each.match)
            if wish.streams is not None and (span is None or span.stream not in wish.streams):
                continue
            if not line:
                line = logs.line_at(log, base)
            line += data.count(b"\n", counted, each.begin)
            counted = each.begin
            next = min(each.stop + data.startswith(b"\n", each.stop), stop)
            yield LogHit(line, base + each.match, base + next, each.text, each.ranges, span)

    return islice(found(), wish.most)


class _Spans:
    """The spans in force at offsets that only grow, a few read at once."""

    def __init__(self, logs: LogReader, log: int, stop: int) -> None:
        self._logs = logs
        self._log = log
        self._stop = stop
        self._read: list[Span] = []
        self._known = 0  # up to where the spans are read

    def at(self, offset: int) -> Span | None:
        """The span of the byte at `offset`, moved up to it."""
        offset = min(offset, self._stop - 1)  # an empty match may lie behind the last byte
        if offset >= self._known:
            self._read = self._logs.spans(self._log, offset, self._stop, SPANS_AT_ONCE)
            more = len(self._read) == SPANS_AT_ONCE
            self._known = self._read[-1].offset + 1 if more else self._stop
        while len(self._read) > 1 and self._read[1].offset <= offset:
            self._read.pop(0)
        if not self._read or self._read[0].offset > offset:
            return None
        return self._read[0]._replace(offset=offset)
