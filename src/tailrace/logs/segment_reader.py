"""Reads segments in the archive: the end of an object gives its index, the index gives the frames of any range."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

from backports import zstd

from tailrace import crc
from tailrace.domain.errors import SegmentDamaged
from tailrace.domain.spans import Span
from tailrace.logs.archive import Archive
from tailrace.logs.segment_index import Index, IndexFault, size_of_end, unpack_end
from tailrace.logs.segment_spans import Spans
from tailrace.store.segments import SegmentRow

INDEX_CACHE_BYTES = 32 * 1024 * 1024
FRAME_CACHE_BYTES = 4 * 1024 * 1024

_END_BYTES = 64 * 1024
"""Read at first: enough for the seek table and, but for logs of very many spans, all of the index."""

_MANY_SPANS_BYTES = 1024 * 1024

_READ_FRAMES = 64
"""Frames that are read from the archive at once: at most 16 MiB of log."""

_ENTRY_BYTES = 200  # what a row of an index takes in memory

T = TypeVar("T")


class Segments:
    """Segments by their rows. Every method blocks and may be called from any thread.

    Methods raise ArchiveAway, ObjectMissing, and SegmentDamaged for an object that is not what was put there: every frame
    is checked against its CRC-32 when it is read. Open indexes, blocks of spans and the frames used last are kept, up to
    so many bytes of memory.
    """

    def __init__(
        self,
        archive: Archive,
        index_bytes: int = INDEX_CACHE_BYTES,
        frame_bytes: int = FRAME_CACHE_BYTES,
    ) -> None:
        self._archive = archive
        self._indexes: _Cache[Index] = _Cache(index_bytes // 2)
        self._spans: _Cache[Spans] = _Cache(index_bytes // 2)
        self._frames: _Cache[bytes] = _Cache(frame_bytes)

    def index(self, log: int, row: SegmentRow) -> Index:
        """The index of a segment."""
        index = self._indexes.get(row.key)
        if index is None:
            index = self._read_index(log, row)
            self._indexes.put(row.key, index, _ENTRY_BYTES * (len(index.frames) + len(index.blocks) + 2))
        return index

    def read(self, log: int, row: SegmentRow, start: int, stop: int) -> bytes:
        """The log's bytes [start, stop), which are not empty and within this segment."""
        index = self.index(log, row)
        first, last = index.frame_at(start), index.frame_at(stop - 1)
        if first == last:
            frame = self._frame(log, row, index, first)
            begin = index.frames[first].first_byte
            return frame if len(frame) == stop - start else frame[start - begin : stop - begin]
        parts: list[bytes] = []
        for number, frame in self._read_frames(log, row, index, first, last + 1):
            begin = index.frames[number].first_byte
            whole = start <= begin and begin + len(frame) <= stop
            parts.append(frame if whole else frame[max(start - begin, 0) : stop - begin])
        return b"".join(parts)

    def frames(self, log: int, row: SegmentRow) -> Iterator[bytes]:
        """All raw bytes, frame by frame, checked."""
        index = self.index(log, row)
        for _, frame in self._read_frames(log, row, index, 0, len(index.frames)):
            yield frame

    def after_newline(self, log: int, row: SegmentRow, count: int) -> int:
        """The log's byte after the log's newline number `count`, counted from 1, which is in this segment."""
        index = self.index(log, row)
        number = index.frame_of_newline(count)
        entry = index.frames[number]
        frame = self._frame(log, row, index, number)
        at = -1
        for _ in range(count - entry.first_line):
            at = frame.index(b"\n", at + 1)
        return entry.first_byte + at + 1

    def newlines_before(self, log: int, row: SegmentRow, offset: int) -> int:
        """The newlines of the log before its byte `offset`, which is in this segment."""
        index = self.index(log, row)
        number = index.frame_at(offset)
        entry = index.frames[number]
        if offset == entry.first_byte:
            return entry.first_line
        frame = self._frame(log, row, index, number)
        return entry.first_line + frame.count(b"\n", 0, offset - entry.first_byte)

    def spans(
        self, log: int, row: SegmentRow, start: int, stop: int, limit: int | None, *, joined: bool
    ) -> list[Span]:
        """The spans that cover the log's bytes [start, stop), which are in this segment.

        `joined`: they follow those of the segment before, so that only those that begin here are wanted; `start` is the
        segment's.
        """
        index = self.index(log, row)
        place = 0
        if not joined:
            while place + 1 < len(index.blocks) and index.blocks[place + 1].first_byte <= start:
                place += 1
        found: list[Span] = []
        for number in range(place, len(index.blocks)):
            if index.blocks[number].first_byte >= stop or (limit is not None and len(found) >= limit):
                break
            block = self._block(log, row, index, number)
            first = 0
            if number == place:
                first = int(index.carried) if joined else max(block.after(start) - 1, 0)
            last = block.after(stop - 1)
            if limit is not None:
                last = min(last, first + limit - len(found))
            found += block.slice(first, last)
        if found and found[0].offset < start:
            found[0] = found[0]._replace(offset=start)
        return found

    def offset_of_time(self, log: int, row: SegmentRow, time_ms: int) -> int | None:
        """Where the first span of this segment begins whose time is not before `time_ms`; None where there is none."""
        index = self.index(log, row)
        for number, entry in enumerate(index.blocks):
            if entry.last_time < time_ms:
                continue
            block = self._block(log, row, index, number)
            for place, time in enumerate(block.times):
                if time >= time_ms:
                    return block.offsets[place]
        return None

    def _read_index(self, log: int, row: SegmentRow) -> Index:
        tail = self._archive.read(row.key, max(row.size - _END_BYTES, 0), row.size)
        try:
            if len(tail) < min(row.size, _END_BYTES):
                raise IndexFault(f"it has fewer than its {row.size} bytes: it is cut off")
            size = size_of_end(tail)
            if size > row.size:
                raise IndexFault("its seek table says more than there is")
            at = row.size - size
            if size <= len(tail):
                index = unpack_end(tail[len(tail) - size :], at)
            else:  # many spans: their blocks are behind what is wanted
                index = unpack_end(self._archive.read(row.key, at, at + _MANY_SPANS_BYTES), at)
            found = (index.log, index.number, index.start, index.stop)
            if found != (log, row.number, row.start, row.stop):
                raise IndexFault(
                    f"it holds log {found[0]}, segment {found[1]}, bytes {found[2]}–{found[3]}: objects were mixed up"
                )
        except IndexFault as fault:
            raise SegmentDamaged(log, row.number, row.key, str(fault)) from None
        return index

    def _frame(self, log: int, row: SegmentRow, index: Index, number: int) -> bytes:
        frame = self._frames.get((row.key, number))
        if frame is None:
            ((_, frame),) = self._read_frames(log, row, index, number, number + 1)
            self._frames.put((row.key, number), frame, len(frame))
        return frame

    def _read_frames(
        self, log: int, row: SegmentRow, index: Index, first: int, last: int
    ) -> Iterator[tuple[int, bytes]]:
        for begin in range(first, last, _READ_FRAMES):
            end = min(begin + _READ_FRAMES, last)
            at = index.frames[begin].offset
            packed = memoryview(self._archive.read(row.key, at, index.frame_end(end - 1)))
            for number in range(begin, end):
                piece = packed[index.frames[number].offset - at : index.frame_end(number) - at]
                yield number, _open_frame(log, row, index, number, piece)

    def _block(self, log: int, row: SegmentRow, index: Index, number: int) -> Spans:
        def load() -> Spans:
            at = index.blocks_at + sum(block.size for block in index.blocks[:number])
            entry = index.blocks[number]
            try:
                return Spans.unpack(entry, self._archive.read(row.key, at, at + entry.size))
            except (zstd.ZstdError, ValueError, KeyError) as error:
                raise SegmentDamaged(
                    log, row.number, row.key, f"block {number} of its spans: {error}"
                ) from None

        return self._spans.load((row.key, number), load, lambda spans: 19 * len(spans) + _ENTRY_BYTES)


def _open_frame(log: int, row: SegmentRow, index: Index, number: int, packed: memoryview) -> bytes:
    entry = index.frames[number]
    try:
        raw = zstd.decompress(packed)
    except zstd.ZstdError as error:
        raise SegmentDamaged(
            log, row.number, row.key, f"frame {number} cannot be decompressed: {error}"
        ) from None
    if len(raw) != index.frame_stop(number) - entry.first_byte or crc.crc32(raw) != entry.crc32:
        raise SegmentDamaged(
            log, row.number, row.key, f"frame {number} does not match its CRC-32 {entry.crc32:08x}"
        )
    return raw


class _Kept(NamedTuple, Generic[T]):
    value: T
    size: int


class _Cache(Generic[T]):
    """What was used last, up to so many bytes. A value that two threads want at once may be loaded twice."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._kept: OrderedDict[Hashable, _Kept[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
            return kept.value

    def put(self, key: Hashable, value: T, size: int) -> None:
        with self._lock:
            earlier = self._kept.pop(key, None)
            self._held += size - (earlier.size if earlier is not None else 0)
            self._kept[key] = _Kept(value, size)
            while self._held > self._most and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._held -= dropped.size

    def load(self, key: Hashable, load: Callable[[], T], size: Callable[[T], int]) -> T:
        value = self.get(key)
        if value is None:
            value = load()
            self.put(key, value, size(value))
        return value
