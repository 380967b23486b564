"""A log store that is sealed all the time: what a reader sees must not depend on where its bytes are."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from pathlib import Path

from tailrace.domain.errors import NotFound
from tailrace.domain.spans import Span
from tailrace.domain.states import LogState
from tailrace.logs.archive import Archive
from tailrace.logs.base import Base, LogStore, base_after
from tailrace.logs.composite import CompositeLogs
from tailrace.logs.sealer import row_of
from tailrace.logs.segment_reader import Segments
from tailrace.logs.segment_writer import build_segment
from tailrace.logs.tail_file import FileLogStore
from tailrace.store.segments import SealedPart, SegmentRow


class SealedLogs(LogStore):
    """Appends go to a live tail, reads to the composite; before and after each, chance may seal a stretch.

    What is kept beside the tail (`rows`) outlives the object, as a store does.
    """

    def __init__(
        self,
        folder: Path,
        rows: dict[int, list[SegmentRow]],
        chance: random.Random,
        frame_bytes: int = 64,
        open_logs: int = 256,
    ) -> None:
        self.tail = FileLogStore(folder / "logs", open_logs=open_logs)
        self.archive = Archive(f"file://{folder / 'archive'}")
        self.archive.check(begin=True)
        self.rows = rows
        self.whole: set[int] = set()
        self.composite = CompositeLogs(self.tail, Segments(self.archive, 2000, 200), self.find)
        self._lock = threading.Lock()
        self._chance = chance
        self._frame_bytes = frame_bytes

    def find(self, log: int, known: int) -> SealedPart | None:
        """As the store does."""
        rows = tuple(self.rows.get(log, ()))
        whole = log in self.whole
        return SealedPart(LogState.OPEN, None, None, whole, None, None, rows[known:])

    def seal(self, log: int, stop: int, *, drop: bool = True) -> SegmentRow:
        """Seal up to `stop`."""
        rows = self.rows.setdefault(log, [])
        base = base_after(rows[-1]) if rows else Base()
        segment = build_segment(self.tail, log, len(rows), base, stop, frame_bytes=self._frame_bytes)
        key = f"{log}/{len(rows)}-{self._chance.random()}"
        self.archive.put(key, segment.data, segment.sha256)
        row = row_of(segment, key)
        rows.append(row)
        if drop:
            self.tail.drop(log, base_after(row))
        return row

    def finish(self, log: int) -> None:
        """Seal the rest; the tail goes."""
        end = self.tail.end(log)
        if end > self._sealed(log):
            self.seal(log, end)
        self.whole.add(log)
        self.tail.remove(log)

    def _sealed(self, log: int) -> int:
        rows = self.rows.get(log)
        return rows[-1].stop if rows else 0

    def _maybe(self, log: int) -> None:
        with self._lock:
            if log in self.whole or self._chance.random() < 0.5:
                return
            try:
                end = self.tail.end(log)
            except NotFound:
                return
            sealed = self._sealed(log)
            if sealed < end:
                self.seal(log, self._chance.randint(sealed + 1, end), drop=self._chance.random() < 0.7)

    def create(self, log: int) -> None:
        self.tail.create(log)

    def append(self, log: int, offset: int, spans: Sequence[Span], data: bytes | memoryview) -> int:
        self._maybe(log)
        return self.tail.append(log, offset, spans, data)

    def sync(self, log: int) -> int:
        return self.tail.sync(log)

    def verify(self, log: int, size: int, crc32: int) -> None:
        self._maybe(log)
        self.tail.verify(log, size, crc32)

    def base(self, log: int) -> Base:
        return self.tail.base(log)

    def drop(self, log: int, base: Base) -> None:
        self.tail.drop(log, base)

    def begin_at(self, log: int, base: Base, in_force: Sequence[Span]) -> None:
        self.tail.begin_at(log, base, in_force)

    def remove(self, log: int) -> None:
        self.rows.pop(log, None)
        self.whole.discard(log)
        self.tail.remove(log)

    def end(self, log: int) -> int:
        self._maybe(log)
        return self.composite.end(log)

    def read(self, log: int, start: int, stop: int) -> bytes:
        self._maybe(log)
        return self.composite.read(log, start, stop)

    def spans(self, log: int, start: int, stop: int, limit: int | None = None) -> list[Span]:
        self._maybe(log)
        return self.composite.spans(log, start, stop, limit)

    def offset_of_tail(self, log: int, lines: int) -> int:
        self._maybe(log)
        return self.composite.offset_of_tail(log, lines)

    def offset_of_line(self, log: int, line: int) -> int:
        self._maybe(log)
        return self.composite.offset_of_line(log, line)

    def line_at(self, log: int, offset: int) -> int:
        self._maybe(log)
        return self.composite.line_at(log, offset)

    def offset_of_time(self, log: int, time_ms: int) -> int:
        self._maybe(log)
        return self.composite.offset_of_time(log, time_ms)

    def close(self) -> None:
        """Close the tail's files."""
        self.tail.close()
