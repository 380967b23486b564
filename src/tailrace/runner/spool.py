"""The spool: a log's bytes on the agent's machine, and beside them its spans.

A span's record is written before its bytes, and a reader takes the spool's size before the spans: so every byte that a reader
returns has its span, without a lock. A record whose bytes never came (its writer died) is overruled by the next record, which
has the same offset.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tailrace import crc
from tailrace.domain.spans import SPAN_BYTES, Span, Stream, pack_spans, unpack_spans
from tailrace.holes import punch
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.freed import Mark, can_free, freeable, keep_mark, read_mark

MERGE_MS = 5
"""Output of one stream and step that follows its span's beginning within this time needs no span of its own."""
_BLOCK = 1 << 20


class SpoolWriter:
    """Appends to a spool. `size` (bytes) and `crc32` tell of all that was accepted, also of what was freed since.

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
        size = os.fstat(data).st_size
        last = os.pread(data, 1, size - 1) if size else b"\n"
        records = os.fstat(spans).st_size // SPAN_BYTES
        while (
            records and _offset_of(spans, records - 1) > size
        ):  # the machine failed: those bytes never reached the disk
            records -= 1
        os.ftruncate(spans, records * SPAN_BYTES)
        crc32 = _sum_up(data, read_mark(folder.freed), size).crc32
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
        self.crc32 = crc.crc32(data, self.crc32)
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
    """Reads a spool while it grows; a spool that does not exist yet is empty. Bytes before `freed` are not there any more."""

    def __init__(self, folder: AttemptFolder) -> None:
        self._folder = folder
        self._data = -1
        self._spans = -1
        self._next = (
            0,
            0,
        )  # where the last read ended: byte offset, and the number of the first record from there on
        self._mark = read_mark(folder.freed)
        self._sum = self._mark
        self._punched = 0

    def size(self) -> int:
        """The spool's size now, in bytes."""
        return os.fstat(self._data).st_size if self._ready() else 0

    @property
    def freed(self) -> int:
        """Where the bytes that can still be read begin."""
        return self._mark.offset

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
        upto = min(upto, self.size())
        if upto < self.freed:
            return self._mark.crc32  # the disk lost bytes: no checksum of them is right
        begin = self._sum if self.freed <= self._sum.offset <= upto else self._mark
        self._sum = _sum_up(self._data, begin, upto)
        return self._sum.crc32

    def free(self, durable: int) -> bool:
        """Give back to the disk what the server holds durably, in whole MiB; False where the file system cannot.

        May be called in a thread beside reads; not beside another `free`, nor beside a SpoolWriter that is being opened. Raises
        OSError.
        """
        stop = freeable(durable)
        if stop <= self.freed:
            return True
        if not can_free(self._folder.freed):
            return False
        with _opened(self._folder.spool) as data, _opened(self._folder.spans) as spans:
            if os.fstat(data).st_size < stop:
                return False  # the disk lost what the server has: nothing to free
            # First the mark, for good: whoever reads the checksum later must not need the bytes.
            mark = Mark(stop, _sum_up(data, self._mark, stop).crc32)
            keep_mark(self._folder.freed, mark)
            self._mark = mark
            punch(data, self._punched, stop)
            punch(spans, 0, _first_from(spans, stop) * SPAN_BYTES)
            self._punched = stop
        return True

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
        return self._next[1] if self._next[0] == offset else _first_from(self._spans, offset)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


@contextmanager
def _opened(path: Path) -> Generator[int]:
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


def _sum_up(fd: int, begin: Mark, upto: int) -> Mark:
    """The CRC-32 of the bytes before `upto`, or before the file's end."""
    done, crc32 = begin
    while done < upto and (block := os.pread(fd, min(_BLOCK, upto - done), done)):
        crc32 = crc.crc32(block, crc32)
        done += len(block)
    return Mark(done, crc32)


def _first_from(fd: int, offset: int) -> int:
    """The number of the first record at or after `offset`; those of freed bytes may read as zeros."""
    count = os.fstat(fd).st_size // SPAN_BYTES
    return bisect_left(range(count), offset, key=lambda number: _offset_of(fd, number))


def _offset_of(fd: int, number: int) -> int:
    return int.from_bytes(os.pread(fd, 8, number * SPAN_BYTES), "little")
