"""The spool: a log's bytes on the agent's machine, and beside them its spans.

A span's record is written before its bytes, and a reader takes the spool's size before the spans: so every byte that a reader
returns has its span, without a lock. A record whose bytes never came (its writer died) is overruled by the next record, which
has the same offset.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_left
from collections import deque
from pathlib import Path
from typing import Self

from tailrace.domain.spans import SPAN_BYTES, Span, Stream, pack_spans, unpack_spans
from tailrace.runner.folder import AttemptFolder

MERGE_MS = 5
"""Output of one stream and step that follows its span's beginning within this time needs no span of its own."""
_BLOCK = 1 << 20


class SpoolWriter:
    """Appends to a spool. `size` (bytes) and `crc32` tell of all that was accepted.

    When the disk does not take them, accepted bytes wait in memory (`pending`): the caller must then stop taking more and call
    `flush` until nothing is pending. `trouble` is what the disk said last.
    """

    def __init__(self, data: int, spans: int, size: int, crc32: int, at_line_start: bool) -> None:
        self._data = data
        self._spans = spans
        self._waiting: deque[tuple[int, memoryview]] = deque()
        self._span: Span | None = None
        self.size = size
        self.crc32 = crc32
        self.at_line_start = at_line_start
        self.trouble: OSError | None = None

    @classmethod
    def open(cls, folder: AttemptFolder) -> Self:
        """Continue a folder's spool, or begin one. What a crash left of a span's record is cut off."""
        data = _open(folder.spool)
        spans = _open(folder.spans)
        size, crc32, last = os.fstat(data).st_size, 0, b"\n"
        for offset in range(0, size, _BLOCK):
            block = os.pread(data, _BLOCK, offset)
            crc32 = zlib.crc32(block, crc32)
            last = block[-1:]
        records = os.fstat(spans).st_size // SPAN_BYTES
        while (
            records and _record(spans, records - 1).offset > size
        ):  # the machine failed: those bytes never reached the disk
            records -= 1
        os.ftruncate(spans, records * SPAN_BYTES)
        return cls(data, spans, size, crc32, last == b"\n")

    @property
    def pending(self) -> bool:
        """Whether accepted bytes wait for room on the disk."""
        return bool(self._waiting)

    def write(self, time_ms: int, stream: Stream, step: int, data: bytes) -> None:
        """Append `data` (any bytes, in whole characters where they are text) at `time_ms`, ms since the epoch."""
        if not data:
            return
        span = self._span
        if (
            span is None
            or (span.stream, span.step) != (stream, step)
            or not 0 <= time_ms - span.time < MERGE_MS
        ):
            self._span = Span(self.size, time_ms, stream, step)
            self._put(self._spans, pack_spans((self._span,)))
        self._put(self._data, data)
        self.size += len(data)
        self.crc32 = zlib.crc32(data, self.crc32)
        self.at_line_start = data.endswith(b"\n")

    def flush(self) -> bool:
        """Try to bring what is pending to disk; whether nothing is pending any more."""
        while self._waiting:
            fd, data = self._waiting[0]
            try:
                written = os.write(fd, data)
            except OSError as error:
                self.trouble = error
                return False
            if written == len(data):
                self._waiting.popleft()
            else:
                self._waiting[0] = (fd, data[written:])
        return True

    def sync(self) -> None:
        """Bring the files to the medium."""
        os.fsync(self._data)
        os.fsync(self._spans)

    def close(self) -> None:
        os.close(self._data)
        os.close(self._spans)

    def _put(self, fd: int, data: bytes) -> None:
        idle = not self._waiting
        self._waiting.append((fd, memoryview(data)))
        if idle:
            self.flush()


class SpoolReader:
    """Reads a spool while it grows; a spool that does not exist yet is empty."""

    def __init__(self, folder: AttemptFolder) -> None:
        self._folder = folder
        self._data = -1
        self._spans = -1
        self._next = (
            0,
            0,
        )  # where the last read ended: byte offset, and the number of the first record from there on
        self._sum = (0, 0)  # bytes, and their CRC-32

    def size(self) -> int:
        """The spool's size now, in bytes."""
        return os.fstat(self._data).st_size if self._ready() else 0

    def read(self, offset: int, max_bytes: int, max_spans: int) -> tuple[list[Span], bytes]:
        """Bytes from `offset` on and the spans that begin within them; fewer bytes than there are when spans would be too many.

        `max_spans` is at least 1. At or past the end: no spans, no bytes.
        """
        size = self.size()
        if offset >= size:
            return [], b""
        data = os.pread(self._data, min(max_bytes, size - offset), offset)
        number, spans, stop = self._first(offset), list[Span](), offset + len(data)
        while records := unpack_spans(os.pread(self._spans, 512 * SPAN_BYTES, number * SPAN_BYTES)):
            for span in records:
                if span.offset >= stop:
                    break
                if spans and spans[-1].offset == span.offset:
                    spans[-1] = span
                elif len(spans) == max_spans:
                    stop = span.offset
                    break
                else:
                    spans.append(span)
                number += 1
            else:
                continue
            break
        self._next = (stop, number)
        return spans, data[: stop - offset]

    def crc32(self, upto: int) -> int:
        """The CRC-32 of the first `upto` bytes (or of all, when they are fewer); cheap when `upto` grows from call to call."""
        done, crc32 = self._sum if self._sum[0] <= upto else (0, 0)
        upto = min(upto, self.size())
        while done < upto:
            block = os.pread(self._data, min(_BLOCK, upto - done), done)
            crc32 = zlib.crc32(block, crc32)
            done += len(block)
        self._sum = (done, crc32)
        return crc32

    def close(self) -> None:
        for fd in (self._data, self._spans):
            if fd >= 0:
                os.close(fd)
        self._data = self._spans = -1

    def _ready(self) -> bool:
        if self._spans < 0:
            try:
                self._data = (
                    os.open(self._folder.spool, os.O_RDONLY | os.O_CLOEXEC) if self._data < 0 else self._data
                )
                self._spans = os.open(self._folder.spans, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
        return True

    def _first(self, offset: int) -> int:
        """The number of the first record at or after `offset`."""
        if self._next[0] == offset:
            return self._next[1]
        count = os.fstat(self._spans).st_size // SPAN_BYTES
        return bisect_left(range(count), offset, key=lambda number: _record(self._spans, number).offset)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _record(fd: int, number: int) -> Span:
    (span,) = unpack_spans(os.pread(fd, SPAN_BYTES, number * SPAN_BYTES))
    return span
