"""Spans: where in a log a stretch begins that came from one stream and one step at one time.

A span reaches to the next span's offset, the last one to the log's end. On disk and on the wire a span is a record of
20 bytes, little endian: offset u64 (bytes), time i64 (ms since the epoch), stream u8, a zero byte, step u16.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

_RECORD = struct.Struct("<QqBxH")
SPAN_BYTES = _RECORD.size


class Stream(IntEnum):
    """Who wrote a stretch of a log; system is Tailrace itself."""

    STDOUT = 1
    STDERR = 2
    SYSTEM = 3

    @property
    def word(self) -> str:
        return self.name.lower()


STREAMS_BY_WORD = {stream.word: stream for stream in Stream}


class Span(NamedTuple):
    """`offset` in bytes from the log's start, `time` in ms since the epoch, `step` the index in the job's steps."""

    offset: int
    time: int
    stream: Stream
    step: int


def pack_spans(spans: Iterable[Span]) -> bytes:
    """Spans as records of 20 bytes."""
    return b"".join(_RECORD.pack(*span) for span in spans)


def unpack_spans(data: bytes | bytearray | memoryview) -> list[Span]:
    """The whole records in `data`; a torn last record (a crash in mid-write) is left out."""
    whole = len(data) - len(data) % SPAN_BYTES
    return [Span(o, t, Stream(s), p) for o, t, s, p in _RECORD.iter_unpack(data[:whole])]


def spans_within(spans: Sequence[Span], start: int, stop: int) -> list[Span]:
    """The spans that cover the bytes [start, stop): first the one in force at `start`, moved up to `start`."""
    if start >= stop or not spans:
        return []
    first = max(bisect_right(spans, start, key=lambda span: span.offset) - 1, 0)
    last = bisect_right(spans, stop - 1, key=lambda span: span.offset)
    within = list(spans[first:last])
    if within and within[0].offset < start:
        within[0] = within[0]._replace(offset=start)
    return within
