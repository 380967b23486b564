"""The contracts of reading logs, and of the live tail: where a log's bytes are while its writer may still send some."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from tailrace.domain.errors import NotFound
from tailrace.domain.spans import Span
from tailrace.store.segments import SegmentRow


class LogReader(ABC):
    """Logs as whoever reads them sees them; offsets and sizes are in bytes, lines are counted from 1, times are epoch ms.

    Every method may block on a disk, a database or an archive and may be called from any thread: call them in worker
    threads. Readers may run beside an append and see only whole appends.

    Every method raises NotFound for a log that is not held.
    """

    @abstractmethod
    def end(self, log: int) -> int:
        """The number of bytes held: where the next append must begin."""

    @abstractmethod
    def read(self, log: int, start: int, stop: int) -> bytes:
        """The bytes [start, stop), as far as they are held."""

    @abstractmethod
    def spans(self, log: int, start: int, stop: int, limit: int | None = None) -> list[Span]:
        """The spans that cover [start, stop) as `spans_within` gives them; only the first `limit` where it is given."""

    @abstractmethod
    def offset_of_tail(self, log: int, lines: int) -> int:
        """Where the last `lines` lines begin; a last line without a newline counts as one."""

    @abstractmethod
    def offset_of_line(self, log: int, line: int) -> int:
        """Where a line begins; the end where there are not so many."""

    @abstractmethod
    def line_at(self, log: int, offset: int) -> int:
        """The number of the line to which the byte at `offset` belongs: one more than the newlines before it."""

    @abstractmethod
    def offset_of_time(self, log: int, time_ms: int) -> int:
        """Where the first span begins whose time is not before `time_ms`; the end where there is none."""


class Base(NamedTuple):
    """A place in a log: `offset` in bytes, the newlines before it, the CRC-32 of the bytes before it."""

    offset: int = 0
    lines: int = 0
    crc32: int = 0


class BytesDropped(Exception):
    """Bytes were asked for, or counted on, that the live tail has dropped: segments have them."""

    def __init__(self, log: int, base: Base) -> None:
        super().__init__(f"log {log}: the live tail holds no bytes before {base.offset}")
        self.base = base


class LogStore(LogReader):
    """The live tail: logs as append-only byte streams with spans.

    The bytes before its base were dropped. Whatever needs them raises BytesDropped; only `spans` goes one byte further
    back, and `offset_of_time` looks at what is held. Offsets and lines are counted from the log's start all the same.

    Appends to one log are expected one after another.

    What it does not promise:
    - that appended bytes survive a power loss: only those below the end that `sync` returned do. What survives beyond it
      may lack spans;
    - that it knows a log's state: an ended log is only one that nobody appends to;
    - that it tells anybody: whoever appends wakes the watchers.

    Every method but `create` and `remove` raises NotFound for a log that was not created or was removed.
    """

    @abstractmethod
    def create(self, log: int) -> None:
        """Make an empty log; a log that exists is left as it is."""

    @abstractmethod
    def append(self, log: int, offset: int, spans: Sequence[Span], data: bytes | memoryview) -> int:
        """Add bytes, and the spans that begin within them; returns the new end.

        Raises OffsetMismatch unless `offset` is the end, Invalid when a span begins outside the bytes or before the one
        before it. A failed append (no room) leaves the log as it was.
        """

    @abstractmethod
    def sync(self, log: int) -> int:
        """Make durable what is held; returns the end up to which it is."""

    @abstractmethod
    def verify(self, log: int, size: int, crc32: int) -> None:
        """Raise LogMismatch unless the log is `size` bytes with this CRC-32."""

    @abstractmethod
    def base(self, log: int) -> Base:
        """Where the bytes that are held begin."""

    @abstractmethod
    def drop(self, log: int, base: Base) -> None:
        """Forget the bytes before `base`, for good: segments hold them. Its disk space is given back where that can be.

        A base before the one it has, or after the log's end, changes nothing.
        """

    @abstractmethod
    def begin_at(self, log: int, base: Base, in_force: Sequence[Span]) -> None:
        """Have a log go on at `base`, where its tail was lost, wholly or from some byte before that: segments hold those.

        `in_force` is the span at the base, or nothing. A log that goes further already is left as it is.
        """

    @abstractmethod
    def remove(self, log: int) -> None:
        """Forget the log, bytes and spans; one that is not there is no error."""


def end_of(logs: LogReader, log: int) -> int:
    """The number of bytes held; 0 for a log whose first byte has not come yet, so that nothing was created."""
    try:
        return logs.end(log)
    except NotFound:
        return 0


def base_after(row: SegmentRow) -> Base:
    """Where the log goes on after a segment."""
    return Base(row.stop, row.first_line + row.lines, row.crc32)
