"""The files of a log on disk, open: bytes, spans as records of 20 bytes, and where its bytes begin."""

from __future__ import annotations

import os
import struct
import threading
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tailrace import crc
from tailrace.domain.errors import NotFound
from tailrace.domain.spans import SPAN_BYTES, Span, pack_spans, unpack_spans
from tailrace.holes import punch
from tailrace.logs.base import Base, BytesDropped
from tailrace.logs.line_index import LineIndex, TimeIndex

_BLOCK = 1024 * 1024
_BASE = struct.Struct("<QQI")
_TIMES = struct.Struct("<8xq4x")  # of a span's record


class _Held(NamedTuple):
    """Where the bytes begin that are held, and the indexes of lines and moments in them: these three change together."""

    base: Base
    lines: LineIndex
    times: TimeIndex


class OpenLog:
    """A log's files, opened and made consistent.

    Its size is the size of the file of bytes. Spans are written before the bytes in which they begin, so a process that
    dies between the two leaves spans at or past the end: opening drops them, and a torn record.

    `size` and `span_count` move only after a write is complete and never back: readers need no lock. `base` moves before
    the bytes in front of it go: a reader looks at it after it has read.
    """

    def __init__(self, log: int, bytes_path: Path, spans_path: Path, base_path: Path) -> None:
        """Raises NotFound when the files are not there."""
        self.lock = threading.Lock()  # held by appends and by verify
        self.crc32 = 0  # of the bytes before `crc_end`
        self.crc_end = 0
        self._log = log
        self._base_path = base_path
        try:
            self._bytes = os.open(bytes_path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound("log", log) from None
        try:
            self._spans = os.open(spans_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except BaseException:
            os.close(self._bytes)
            raise
        self.size: int = os.fstat(self._bytes).st_size
        base = Base._make(_BASE.unpack(base_path.read_bytes())) if base_path.exists() else Base()
        if self.size < base.offset:  # a power loss took bytes that segments hold
            os.ftruncate(self._bytes, base.offset)
            self.size = base.offset
        self.span_count = self._recover_spans()
        self._held = self._hold(base)

    @property
    def base(self) -> Base:
        return self._held.base

    def close(self) -> None:
        os.close(self._bytes)
        os.close(self._spans)

    def append(self, spans: Sequence[Span], data: bytes | memoryview) -> None:
        """Write at the end; the caller holds the lock. Raises OSError and leaves the log as it was when there is no room."""
        spans_end = self.span_count * SPAN_BYTES
        try:
            if spans:
                _write_all(self._spans, pack_spans(spans), spans_end)
            _write_all(self._bytes, data, self.size)
        except OSError:
            os.ftruncate(self._bytes, self.size)
            os.ftruncate(self._spans, spans_end)
            raise
        if self.crc_end == self.size:
            self.crc32 = crc.crc32(data, self.crc32)
            self.crc_end += len(data)
        self.span_count += len(spans)
        self.size += len(data)

    def sync(self) -> int:
        """Make durable what is written, spans first; returns the durable end."""
        size = self.size
        os.fdatasync(self._spans)
        os.fdatasync(self._bytes)
        return size

    def drop(self, base: Base) -> None:
        """Forget the bytes before `base`; the caller holds the lock. Raises OSError."""
        if not self.base.offset < base.offset <= self.size:
            return  # a log that ends before it began anew, or waits for bytes that a power loss took
        self._keep_base(base)
        self._held = self._hold(base)
        self._punch(base)

    def begin_at(self, base: Base, in_force: Sequence[Span]) -> None:
        """Count the bytes before `base` as held and dropped, where they are not all here; the caller holds the lock."""
        if self.size >= base.offset:
            return
        records = pack_spans(span._replace(offset=base.offset - 1) for span in in_force)
        _write_all(self._spans, records, self.span_count * SPAN_BYTES)
        self.span_count += len(in_force)
        self._keep_base(base)
        os.ftruncate(self._bytes, base.offset)
        self.size = base.offset
        self._held = self._hold(base)
        self._punch(base)

    def _keep_base(self, base: Base) -> None:
        os.fdatasync(self._spans)  # the one in force at the base is needed for good
        draft = self._base_path.with_suffix(".draft")
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, _BASE.pack(*base))
            os.fsync(file)
        finally:
            os.close(file)
        draft.rename(self._base_path)
        folder = os.open(self._base_path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # else a power loss could leave a hole that reads as zeros
        finally:
            os.close(folder)

    def _punch(self, base: Base) -> None:
        punch(self._bytes, 0, base.offset)
        punch(self._spans, 0, max(self._first_after(base.offset - 1, self.span_count) - 1, 0) * SPAN_BYTES)

    def checksum(self) -> int:
        """The CRC-32 of the whole log; reads what was written before this process opened it. The caller holds the lock."""
        while self.crc_end < self.size:
            block = os.pread(self._bytes, min(_BLOCK, self.size - self.crc_end), self.crc_end)
            if not block:
                raise OSError(
                    f"log {self._log} is shorter on disk than the {self.size} bytes that were written"
                )
            self.crc32 = crc.crc32(block, self.crc32)
            self.crc_end += len(block)
        return self.crc32

    def read(self, start: int, stop: int) -> bytes:
        first, stop = max(start, 0), min(stop, self.size)
        if first >= stop:
            return b""
        start = first
        parts: list[bytes] = []
        while start < stop and (data := os.pread(self._bytes, stop - start, start)):
            parts.append(data)
            start += len(data)
        self._check_held(first)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def spans(self, start: int, stop: int, limit: int | None) -> list[Span]:
        start, stop = max(start, 0), min(stop, self.size)
        count = self.span_count
        if start >= stop or count == 0:
            return []
        first = max(self._first_after(start, count) - 1, 0)
        last = self._first_after(stop - 1, count)
        if limit is not None:
            last = min(last, first + limit)
        records = os.pread(self._spans, (last - first) * SPAN_BYTES, first * SPAN_BYTES)
        self._check_held(start + 1)
        within = unpack_spans(records)
        if within and within[0].offset < start:
            within[0] = within[0]._replace(offset=start)
        return within

    def offset_of_tail(self, lines: int) -> int:
        """Where the last `lines` lines begin, reading backwards."""
        size = self.size
        if lines <= 0 or size == 0:
            return size
        wanted = lines
        stop = size - 1  # a newline that ends the log begins no line
        while stop > 0:
            start = max(stop - _BLOCK // 16, min(self.base.offset, stop - 1), 0)
            block = self.read(start, stop)
            found = block.count(b"\n")
            if found < wanted:
                wanted -= found
                stop = start
                continue
            at = len(block)
            for _ in range(wanted):
                at = block.rfind(b"\n", 0, at)
            return start + at + 1
        return 0

    def offset_of_line(self, line: int) -> int:
        """Where a line begins, counted from 1; the end where there are not so many."""
        base, lines, _ = self._held
        if line <= 1:
            return 0
        if line - 1 <= base.lines and base.offset > 0:
            raise BytesDropped(self._log, base)
        return lines.offset_of_line(line, self.size)

    def line_at(self, offset: int) -> int:
        """One more than the newlines before `offset`."""
        base, lines, _ = self._held
        offset = max(min(offset, self.size), 0)
        if offset < base.offset:
            raise BytesDropped(self._log, base)
        return lines.line_at(offset)

    def offset_of_time(self, time_ms: int) -> int:
        """Where the first span that is held begins whose time is not before `time_ms`; the end where there is none."""
        base, _, times = self._held
        size, count = self.size, self.span_count
        first = times.first_since(time_ms, count)
        found = size if first == count else min(self._span_offset(first), size)
        self._check_held(base.offset)
        return found

    def _check_held(self, start: int) -> None:
        base = self.base
        if start < base.offset:
            raise BytesDropped(self._log, base)

    def _hold(self, base: Base) -> _Held:
        """What is held from `base` on; nothing of it is counted yet."""
        if self.crc_end < base.offset:
            self.crc32, self.crc_end = base.crc32, base.offset
        first = self._first_after(base.offset - 1, self.span_count)
        return _Held(base, LineIndex(self.read, base.offset, base.lines), TimeIndex(self._span_times, first))

    def _first_after(self, offset: int, count: int) -> int:
        """The index of the first of `count` spans that begins after `offset`."""
        return bisect_right(range(count), offset, key=self._span_offset)

    def _span_offset(self, index: int) -> int:
        return int.from_bytes(os.pread(self._spans, 8, index * SPAN_BYTES), "little")

    def _span_times(self, first: int, last: int) -> list[int]:
        data = os.pread(self._spans, (last - first) * SPAN_BYTES, first * SPAN_BYTES)
        return [time for (time,) in _TIMES.iter_unpack(data)]

    def _recover_spans(self) -> int:
        held = os.fstat(self._spans).st_size
        count = bisect_right(range(held // SPAN_BYTES), self.size - 1, key=self._span_offset)
        if held != count * SPAN_BYTES:
            os.ftruncate(self._spans, count * SPAN_BYTES)
        return count


def _write_all(file: int, data: bytes | memoryview, offset: int) -> None:
    written = os.pwrite(file, data, offset)
    if written < len(data):
        view = memoryview(data)
        while written < len(data):
            written += os.pwrite(file, view[written:], offset + written)
