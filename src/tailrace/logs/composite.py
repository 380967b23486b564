"""Logs as one, wherever their bytes are: sealed in segments, or still in the live tail."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from tailrace.domain.errors import LogRemoved, NotFound, SegmentDamaged
from tailrace.domain.spans import Span
from tailrace.logs.archive import ObjectMissing
from tailrace.logs.base import BytesDropped, LogReader, LogStore
from tailrace.logs.segment_reader import Segments
from tailrace.store.segments import SealedPart, SegmentRow

T = TypeVar("T")

FindSealed = Callable[[int, int], SealedPart | None]
"""(log, how many of its segments are known) → what is sealed of it beyond these; called in the reader's thread."""

KNOWN_LOGS = 4096
TRIES = 8


class _Known(NamedTuple):
    """What we know of a log's segments: more may have been added, none is ever changed."""

    segments: tuple[SegmentRow, ...] = ()
    whole: bool = False  # they are all of it

    @property
    def stop(self) -> int:
        return self.segments[-1].stop if self.segments else 0

    @property
    def lines(self) -> int:
        return self.segments[-1].first_line + self.segments[-1].lines if self.segments else 0

    def holding(self, offset: int) -> SegmentRow:
        """The segment of the byte at `offset`, which is before `stop`."""
        return self.segments[bisect_right(self.segments, offset, key=lambda row: row.start) - 1]

    def of_newline(self, count: int) -> SegmentRow:
        """The segment of the newline number `count`, from 1 to `lines`."""
        return self.segments[bisect_left(self.segments, count, key=lambda row: row.first_line) - 1]

    def between(self, start: int, stop: int) -> tuple[SegmentRow, ...]:
        """The segments that hold bytes of [start, stop)."""
        if start >= min(stop, self.stop):
            return ()
        first = bisect_right(self.segments, start, key=lambda row: row.start) - 1
        return self.segments[first : bisect_left(self.segments, stop, key=lambda row: row.start)]


_NOTHING = _Known()


class CompositeLogs(LogReader):
    """Segments, then the live tail, as one log.

    A log is looked up in the store only when its tail does not have what is asked for: while a reader is at work a stretch
    may be sealed and dropped from the tail, or the whole log; the reader then looks again and takes it from the segment.

    Methods raise NotFound also as LogRemoved, and ArchiveAway and SegmentDamaged (both OSError).
    """

    def __init__(self, tail: LogStore, segments: Segments, find: FindSealed) -> None:
        self._tail = tail
        self._segments = segments
        self._find = find
        self._lock = threading.Lock()
        self._logs: OrderedDict[int, _Known] = OrderedDict()

    def end(self, log: int) -> int:
        return self._try(log, lambda known: self._end(log, known))

    def read(self, log: int, start: int, stop: int) -> bytes:
        return self._try(log, lambda known: self._read(log, known, max(start, 0), stop))

    def spans(self, log: int, start: int, stop: int, limit: int | None = None) -> list[Span]:
        return self._try(log, lambda known: self._spans(log, known, max(start, 0), stop, limit))

    def offset_of_tail(self, log: int, lines: int) -> int:
        return self._try(log, lambda known: self._offset_of_tail(log, known, lines))

    def offset_of_line(self, log: int, line: int) -> int:
        return self._try(log, lambda known: self._offset_of_line(log, known, line))

    def line_at(self, log: int, offset: int) -> int:
        return self._try(log, lambda known: self._line_at(log, known, max(offset, 0)))

    def offset_of_time(self, log: int, time_ms: int) -> int:
        return self._try(log, lambda known: self._offset_of_time(log, known, time_ms))

    def _end(self, log: int, known: _Known) -> int:
        return known.stop if known.whole else max(self._tail.end(log), known.stop)

    def _read(self, log: int, known: _Known, start: int, stop: int) -> bytes:
        parts = [
            self._segments.read(log, row, max(start, row.start), min(stop, row.stop))
            for row in known.between(start, stop)
        ]
        if not known.whole and (stop > known.stop or not parts):
            parts.append(self._tail.read(log, max(start, known.stop), stop))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _spans(self, log: int, known: _Known, start: int, stop: int, limit: int | None) -> list[Span]:
        found: list[Span] = []
        for row in known.between(start, stop):
            left = None if limit is None else limit - len(found)
            joined = start < row.start
            begin, end = max(start, row.start), min(stop, row.stop)
            found += self._segments.spans(log, row, begin, end, left, joined=joined)
        if known.whole or (known.stop >= stop and known.segments):
            return found
        if start >= known.stop:
            return self._tail.spans(log, start, stop, limit)
        left = None if limit is None else limit - len(found) + 1
        begun = self._tail.spans(log, known.stop - 1, stop, left)
        found += [span for span in begun if span.offset >= known.stop]
        return found if limit is None else found[:limit]

    def _offset_of_tail(self, log: int, known: _Known, lines: int) -> int:
        if not known.whole:
            try:
                return self._tail.offset_of_tail(log, lines)
            except BytesDropped:
                if not known.segments:
                    raise
        size = self._end(log, known)
        if lines <= 0 or size == 0:
            return size
        newlines = self._line_at(log, known, size) - 1
        ended = self._read(log, known, size - 1, size) == b"\n"
        return self._offset_of_line(log, known, max(newlines + (1 if ended else 2) - lines, 1))

    def _offset_of_line(self, log: int, known: _Known, line: int) -> int:
        if line <= 1:
            self._end(log, known)
            return 0
        if line - 1 <= known.lines:
            row = known.of_newline(line - 1)
            return self._segments.after_newline(log, row, line - 1)
        return known.stop if known.whole else self._tail.offset_of_line(log, line)

    def _line_at(self, log: int, known: _Known, offset: int) -> int:
        if offset < known.stop:
            return 1 + self._segments.newlines_before(log, known.holding(offset), offset)
        return 1 + known.lines if known.whole else self._tail.line_at(log, offset)

    def _offset_of_time(self, log: int, known: _Known, time_ms: int) -> int:
        for row in known.segments:
            if row.last_time >= time_ms:
                found = self._segments.offset_of_time(log, row, time_ms)
                if found is not None:
                    return found
        if known.whole:
            return known.stop
        if known.segments and self._tail.base(log).offset < known.stop:
            return self._offset_of_time_after(log, known.stop, time_ms)
        found = self._tail.offset_of_time(log, time_ms)
        base = self._tail.base(log)
        if base.offset > known.stop:
            raise BytesDropped(log, base)
        return found

    def _offset_of_time_after(self, log: int, start: int, time_ms: int) -> int:
        """What the tail still holds of segments was searched in these."""
        size = self._tail.end(log)
        for span in self._tail.spans(log, start - 1, size):
            if span.offset >= start and span.time >= time_ms:
                return span.offset
        return size

    def _try(self, log: int, attempt: Callable[[_Known], T]) -> T:
        """Attempt with what is known; look again, as long as that finds more, when bytes are where they were not."""
        with self._lock:
            known = self._logs.get(log, _NOTHING)
        for _ in range(TRIES):
            try:
                if known.segments and not known.whole and self._tail.base(log).offset < known.stop:
                    known = self._look(log, _NOTHING)  # not dropped yet, or the log began anew
                return attempt(known)
            except BytesDropped as error:
                known = self._look(log, known)
                if known.stop < error.base.offset:
                    raise OSError(f"{error}, and segments hold none after {known.stop}") from error
            except NotFound:
                found = self._look(log, known)
                if found == known:
                    raise
                known = found
            except ObjectMissing as error:
                found = self._look(log, _NOTHING)
                row = next((row for row in found.segments if row.key == error.key), None)
                if row is not None:
                    raise SegmentDamaged(log, row.number, row.key, "the archive has no such object") from None
                known = found
        raise OSError(f"log {log} moves faster than it can be read")

    def _look(self, log: int, known: _Known) -> _Known:
        part = self._find(log, len(known.segments))
        if part is None:
            raise NotFound("log", log)
        if part.removed_at is not None:
            with self._lock:
                self._logs.pop(log, None)
            raise LogRemoved(log, part.removed_at, part.removed_why or "nobody wrote down why")
        found = _Known(known.segments + part.segments, part.whole)
        with self._lock:
            self._logs[log] = found
            self._logs.move_to_end(log)
            if len(self._logs) > KNOWN_LOGS:
                self._logs.popitem(last=False)
        return found
