"""The index of a segment: what its skippable frame says of its frames and spans. `docs/segments.md` describes the bytes.

A segment is zstd frames, the index in a skippable frame, and the seek table of zstd's seekable format, in this order.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from tailrace import crc

FRAME_BYTES = 256 * 1024
"""Raw bytes of every frame but the last, as we write them; readers go by the index."""

SEGMENT_BYTES = 64 * 1024 * 1024
"""Raw bytes of every segment that is sealed while its log still grows."""

VERSION = 1
CARRIED = 1  # flag: the first span began in an earlier segment

_SKIPPABLE = 0x184D2A57
_SEEK_FRAME = 0x184D2A5E
_SEEK_MAGIC = 0x8F92EAB1
_CHECKSUMS = 0x80  # the seek table's descriptor: every entry has a checksum
_EMPTY_XXH64 = 0x51D8E999  # low 32 bits, of no bytes

_MAGIC = b"tailrace"
_FRAME_HEADER = struct.Struct("<II")
_HEADER = struct.Struct("<8sHHQIIQQQQIIqqQI")
_FRAME = struct.Struct("<QQQqqI")
_BLOCK = struct.Struct("<QqqII")
_CRC = struct.Struct("<I")
_SEEK_ENTRY = struct.Struct("<III")
_SEEK_FOOTER = struct.Struct("<IBI")
SEEK_FOOTER_BYTES = _SEEK_FOOTER.size


class IndexFault(Exception):
    """Bytes that are not the index of a segment, or not a whole one; the text says what is wrong."""


class FrameEntry(NamedTuple):
    """One frame: `first_byte` in the log, `first_line` newlines before it, where it begins in the object.

    The times (ms) are the earliest and the latest of the spans that cover it; `crc32` is of its raw bytes.
    """

    offset: int
    first_byte: int
    first_line: int
    first_time: int
    last_time: int
    crc32: int


class BlockEntry(NamedTuple):
    """One block of spans: the first one's offset and time, the latest time of any, how many, their compressed bytes."""

    first_byte: int
    first_time: int
    last_time: int
    spans: int
    size: int


class Index(NamedTuple):
    """What a segment's index says; [start, stop) are its bytes in the log, `first_line` newlines are before it.

    `crc32` is of the log's bytes before `stop`. `frames_end` is where the compressed frames end in the object,
    `blocks_at` where the first block of spans begins.
    """

    log: int
    number: int
    start: int
    stop: int
    first_line: int
    lines: int
    crc32: int
    carried: bool
    first_time: int
    last_time: int
    frames: tuple[FrameEntry, ...]
    blocks: tuple[BlockEntry, ...]
    frames_end: int
    blocks_at: int

    def frame_at(self, offset: int) -> int:
        """The number of the frame that holds the log's byte at `offset`."""
        return bisect_right(self.frames, offset, key=lambda frame: frame.first_byte) - 1

    def frame_of_newline(self, count: int) -> int:
        """The number of the frame that holds the log's newline number `count`, counted from 1."""
        return bisect_left(self.frames, count, key=lambda frame: frame.first_line) - 1

    def frame_stop(self, number: int) -> int:
        """The log's byte after the last one of a frame."""
        return self.frames[number + 1].first_byte if number + 1 < len(self.frames) else self.stop

    def frame_end(self, number: int) -> int:
        """Where a frame ends in the object."""
        return self.frames[number + 1].offset if number + 1 < len(self.frames) else self.frames_end


def pack_end(index: Index, blocks: Sequence[bytes], checksums: Sequence[int]) -> bytes:
    """What follows the frames of a segment: the skippable frame with index and span blocks, then the seek table.

    `checksums` are the content checksums of the frames, as zstd wrote them.
    """
    payload = (
        _HEADER.pack(
            _MAGIC,
            VERSION,
            CARRIED if index.carried else 0,
            index.log,
            index.number,
            len(index.frames),
            index.start,
            index.stop,
            index.first_line,
            index.lines,
            index.crc32,
            len(index.blocks),
            index.first_time,
            index.last_time,
            sum(block.spans for block in index.blocks),
            sum(block.size for block in index.blocks),
        )
        + b"".join(_FRAME.pack(*frame) for frame in index.frames)
        + b"".join(_BLOCK.pack(*block) for block in index.blocks)
    )
    payload += _CRC.pack(crc.crc32(payload)) + b"".join(blocks)
    skippable = _FRAME_HEADER.pack(_SKIPPABLE, len(payload)) + payload
    entries = [
        _SEEK_ENTRY.pack(
            index.frame_end(number) - frame.offset,
            index.frame_stop(number) - frame.first_byte,
            checksum,
        )
        for number, (frame, checksum) in enumerate(zip(index.frames, checksums, strict=True))
    ]
    entries.append(_SEEK_ENTRY.pack(len(skippable), 0, _EMPTY_XXH64))
    table = b"".join(entries) + _SEEK_FOOTER.pack(len(entries), _CHECKSUMS, _SEEK_MAGIC)
    return skippable + _FRAME_HEADER.pack(_SEEK_FRAME, len(table)) + table


def size_of_end(tail: bytes) -> int:
    """How many bytes at the end of an object are its seek table and the last entry of it, which is our index.

    `tail` is the object's last bytes, at least `SEEK_FOOTER_BYTES` of them and the entry before. Raises IndexFault.
    """
    entries, descriptor, magic = _SEEK_FOOTER.unpack_from(tail, len(tail) - SEEK_FOOTER_BYTES)
    if magic != _SEEK_MAGIC:
        raise IndexFault("it does not end with the seek table of a segment: it is cut off, or something else")
    if descriptor != _CHECKSUMS or entries < 1 or len(tail) < SEEK_FOOTER_BYTES + _SEEK_ENTRY.size:
        raise IndexFault(
            f"its seek table (descriptor {descriptor:#x}, {entries} entries) is not that of a segment"
        )
    last = len(tail) - SEEK_FOOTER_BYTES - _SEEK_ENTRY.size
    size, raw, _ = _SEEK_ENTRY.unpack_from(tail, last)
    if raw != 0:
        raise IndexFault("its seek table does not end with an index")
    return size + _FRAME_HEADER.size + entries * _SEEK_ENTRY.size + SEEK_FOOTER_BYTES


def unpack_end(end: bytes, at: int) -> Index:
    """The index from the last bytes of an object, `size_of_end` of them, which begin at its byte `at`.

    Raises IndexFault.
    """
    try:
        magic, size = _FRAME_HEADER.unpack_from(end)
        head = _HEADER.unpack_from(end, _FRAME_HEADER.size)
        (name, version, flags, log, number, frames, start, stop, line, lines, crc32, blocks) = head[:12]
        first_time, last_time = head[12:14]
        if magic != _SKIPPABLE or name != _MAGIC:
            raise IndexFault("its index does not begin with the mark of one")
        if version != VERSION:
            raise IndexFault(f"its index has version {version}, and this program reads version {VERSION}")
        table = _FRAME_HEADER.size + _HEADER.size
        directory = table + frames * _FRAME.size
        check = directory + blocks * _BLOCK.size
        (declared,) = _CRC.unpack_from(end, check)
        if crc.crc32(memoryview(end)[_FRAME_HEADER.size : check]) != declared:
            raise IndexFault("its index does not match its CRC-32")
        if check + _CRC.size + head[15] != _FRAME_HEADER.size + size:
            raise IndexFault("its index is not as long as it says")
        view = memoryview(end)
        return Index(
            log,
            number,
            start,
            stop,
            line,
            lines,
            crc32,
            bool(flags & CARRIED),
            first_time,
            last_time,
            tuple(FrameEntry._make(row) for row in _FRAME.iter_unpack(view[table:directory])),
            tuple(BlockEntry._make(row) for row in _BLOCK.iter_unpack(view[directory:check])),
            at,
            at + check + _CRC.size,
        )
    except struct.error:
        raise IndexFault("its index is cut off") from None
