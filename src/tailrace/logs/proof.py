"""Proves a log, from what its writer declared to what the archive holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tailrace import crc
from tailrace.domain.errors import LogRemoved, NotFound, SegmentDamaged
from tailrace.domain.states import LogState
from tailrace.logs.archive import Archive, ObjectMissing
from tailrace.logs.base import BytesDropped, LogStore
from tailrace.logs.segment_reader import Segments
from tailrace.store.segments import SealedPart, SegmentRow

_BLOCK = 1024 * 1024
_TRIES = 5


class SegmentProof(NamedTuple):
    """Whether a segment is what was put into the archive; `detail` says what is wrong."""

    number: int
    start: int
    stop: int
    size: int
    sha256: str
    ok: bool
    detail: str | None


class Proof(NamedTuple):
    """Whether a log is whole: `size` bytes with this CRC-32 are held; `detail` says what was compared, or what differs."""

    log: int
    state: LogState
    ok: bool
    size: int
    crc32: int
    segments: tuple[SegmentProof, ...]
    detail: str


class Prover:
    """Reads every byte of a log again. Its methods block: call them in a thread."""

    def __init__(
        self,
        tail: LogStore,
        archive: Archive,
        segments: Segments,
        find: Callable[[int], SealedPart | None],
    ) -> None:
        self._tail = tail
        self._archive = archive
        self._segments = segments
        self._find = find

    def prove(self, log: int) -> Proof:
        """Raises NotFound, LogRemoved, and ArchiveAway: then nothing can be said."""
        for _ in range(_TRIES):
            part = self._find(log)
            if part is None:
                raise NotFound("log", log)
            if part.removed_at is not None:
                raise LogRemoved(log, part.removed_at, part.removed_why or "nobody wrote down why")
            try:
                return self._prove(log, part)
            except BytesDropped:
                continue  # another stretch was sealed meanwhile
        raise OSError(f"log {log} is being sealed faster than it can be read: try again")

    def _prove(self, log: int, part: SealedPart) -> Proof:
        crc32, size = 0, 0
        proofs: list[SegmentProof] = []
        for row in part.segments:
            crc32, fault = self._segment(log, row, size, crc32)
            size = row.stop
            proofs.append(
                SegmentProof(row.number, row.start, row.stop, row.size, row.sha256, fault is None, fault)
            )
        if not part.whole:
            size, crc32 = self._rest(log, size, crc32)
        faults = [f"segment {proof.number}: {proof.detail}" for proof in proofs if not proof.ok]
        if part.size is not None and size != part.size:
            faults.append(f"{size} bytes are held, and its writer declared {part.size}")
        if part.crc32 is not None and crc32 != part.crc32:
            faults.append(f"CRC-32 {crc32:08x} is held, and its writer declared {part.crc32:08x}")
        return Proof(
            log,
            part.state,
            not faults,
            size,
            crc32,
            tuple(proofs),
            "; ".join(faults) if faults else _compared(part, size, crc32),
        )

    def _segment(self, log: int, row: SegmentRow, start: int, crc32: int) -> tuple[int, str | None]:
        """The CRC-32 after the segment (what it should be, where it cannot be told), and what is wrong."""
        try:
            held = self._archive.sha256(row.key)
            if held != row.sha256:
                return row.crc32, f"the object {row.key} has SHA-256 {held}, and {row.sha256} was put there"
            for frame in self._segments.frames(log, row):
                crc32 = crc.crc32(frame, crc32)
        except ObjectMissing as error:
            return row.crc32, str(error)
        except SegmentDamaged as error:
            return row.crc32, str(error)
        if row.start != start:
            return crc32, f"it begins at byte {row.start}, and the one before it ends at {start}"
        if crc32 != row.crc32:
            return (
                row.crc32,
                f"the log's CRC-32 up to its end is {crc32:08x}, and was {row.crc32:08x} when it was sealed",
            )
        return crc32, None

    def _rest(self, log: int, size: int, crc32: int) -> tuple[int, int]:
        """What only the live tail holds."""
        try:
            end = self._tail.end(log)
            while size < end:
                block = self._tail.read(log, size, min(size + _BLOCK, end))
                if not block:
                    break
                crc32 = crc.crc32(block, crc32)
                size += len(block)
        except NotFound:
            pass  # its writer has not begun, or what is missing shows in the size
        return size, crc32


def _compared(part: SealedPart, size: int, crc32: int) -> str:
    if part.state is LogState.OPEN:
        return f"it is still written: {size} bytes are held so far, and nothing is declared yet"
    if part.crc32 is None and part.state is not LogState.TRUNCATED:
        return "its attempt ended before an agent began it: there is nothing to compare"
    if part.crc32 is None:
        return f"its writer was lost: {size} bytes are held, and it declared no checksum"
    return f"{size} bytes with CRC-32 {crc32:08x}, as its writer declared"
