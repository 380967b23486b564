"""From a stretch of a live tail to the bytes of a segment."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

from backports import zstd

from tailrace import crc
from tailrace.logs.base import Base, LogReader
from tailrace.logs.checksums import combine
from tailrace.logs.segment_index import FRAME_BYTES, FrameEntry, Index, pack_end
from tailrace.logs.segment_spans import Spans

FAST_LEVEL = 3
SMALL_LEVEL = 6
SMALL_BYTES = 4 * 1024 * 1024
"""Stretches up to this size are compressed at zstd's level 6, longer ones at 3.

Measured on what compilers and test runners print: 6 makes up to a fifth less of it, at half the speed, which a few MiB can
afford and a job that writes a gigabyte cannot.
"""

NO_TIME = -(2**63)
"""The time of bytes that no span covers."""


@dataclass(frozen=True)
class Segment:
    """A segment as it goes to the archive; `data` begins with the frames, `sha256` is of all of it."""

    index: Index
    data: bytes
    sha256: str


class _Frame(NamedTuple):
    packed: bytes
    lines: int
    crc32: int


def build_segment(
    logs: LogReader,
    log: int,
    number: int,
    base: Base,
    stop: int,
    compressors: Executor | None = None,
    frame_bytes: int = FRAME_BYTES,
) -> Segment:
    """The bytes [base.offset, stop) of a log and their spans as its segment `number`.

    Frames are compressed by `compressors` where there is more than one; each is decompressed again and compared before it
    counts. Raises what `logs` raises, and OSError when bytes are missing or came back different.
    """
    options = zstd_options(SMALL_LEVEL if stop - base.offset <= SMALL_BYTES else FAST_LEVEL)
    starts = range(base.offset, stop, frame_bytes)

    def frame(start: int) -> _Frame:
        return _compress(logs, log, start, min(start + frame_bytes, stop), options)

    packed: Iterable[_Frame] = (
        compressors.map(frame, starts) if compressors is not None and len(starts) > 1 else map(frame, starts)
    )
    spans, entries, parts, checksums = Spans(), list[FrameEntry](), list[bytes](), list[int]()
    offset, lines, crc32, carried = 0, base.lines, base.crc32, False
    for start, made in zip(starts, packed, strict=True):
        end = min(start + frame_bytes, stop)
        covering = logs.spans(log, max(start - 1, 0), end)
        begun = [span for span in covering if span.offset >= start]
        if start == base.offset and len(covering) > len(begun) and not (begun and begun[0].offset == start):
            begun.insert(0, covering[0]._replace(offset=start))
            carried = True
        spans.extend(begun)
        # The one before may end where the first of these begins; then it covers nothing here.
        times = [span.time for span in (begun if begun and begun[0].offset == start else covering)]
        first, last = (min(times), max(times)) if times else (NO_TIME, NO_TIME)
        entries.append(FrameEntry(offset, start, lines, first, last, made.crc32))
        parts.append(made.packed)
        checksums.append(int.from_bytes(made.packed[-4:], "little"))
        offset += len(made.packed)
        lines += made.lines
        crc32 = combine(crc32, made.crc32, end - start)
    blocks = list(spans.pack(options))
    index = Index(
        log,
        number,
        base.offset,
        stop,
        base.lines,
        lines - base.lines,
        crc32,
        carried,
        min((entry.first_time for entry in entries if entry.first_time != NO_TIME), default=NO_TIME),
        max(entry.last_time for entry in entries),
        tuple(entries),
        tuple(entry for entry, _ in blocks),
        offset,
        0,
    )
    parts.append(pack_end(index, [block for _, block in blocks], checksums))
    data = b"".join(parts)
    return Segment(index, data, hashlib.sha256(data).hexdigest())


def zstd_options(level: int) -> dict[int, int]:
    """Of every zstd frame that we write: it says how long its content is, and carries a checksum of it."""
    parameter = zstd.CompressionParameter
    return {
        parameter.compression_level: level,
        parameter.checksum_flag: 1,
        parameter.content_size_flag: 1,
    }


def _compress(logs: LogReader, log: int, start: int, stop: int, options: dict[int, int]) -> _Frame:
    raw = logs.read(log, start, stop)
    if len(raw) != stop - start:
        raise OSError(
            f"log {log}: of the bytes {start}–{stop} only {len(raw)} are held: they cannot be sealed"
        )
    crc32 = crc.crc32(raw)
    packed = zstd.compress(raw, options=options)
    if crc.crc32(zstd.decompress(packed)) != crc32:
        raise OSError(
            f"log {log}: the bytes {start}–{stop} came back different after compression; memory may be faulty"
        )
    return _Frame(packed, raw.count(b"\n"), crc32)
