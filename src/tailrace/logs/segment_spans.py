"""Spans as blocks: differences, laid out in planes of equal bytes, compressed.

A block of n spans is, before compression: the differences of offsets (u32), of times (i64), streams (u8), steps (u16),
each little endian and as planes: all first bytes, then all second bytes, and so on. The first difference is 0: where the
block begins is in the index.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise

from backports import zstd

from tailrace.domain.spans import Span, Stream
from tailrace.logs.segment_index import BlockEntry

BLOCK_SPANS = 4096
_SPAN_BYTES = 4 + 8 + 1 + 2
_STREAMS = {int(stream): stream for stream in Stream}


class Spans:
    """Spans in order, 19 bytes each in memory."""

    def __init__(self) -> None:
        self.offsets = array("Q")
        self.times = array("q")
        self._streams = array("B")
        self._steps = array("H")

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, place: int) -> Span:
        return Span(
            self.offsets[place], self.times[place], _STREAMS[self._streams[place]], self._steps[place]
        )

    def extend(self, spans: Iterable[Span]) -> None:
        """Add spans at the end."""
        for offset, time, stream, step in spans:
            self.offsets.append(offset)
            self.times.append(time)
            self._streams.append(stream)
            self._steps.append(step)

    def slice(self, first: int, last: int) -> list[Span]:
        """The spans [first, last)."""
        return [
            Span(offset, time, _STREAMS[stream], step)
            for offset, time, stream, step in zip(
                self.offsets[first:last],
                self.times[first:last],
                self._streams[first:last],
                self._steps[first:last],
                strict=True,
            )
        ]

    def after(self, offset: int) -> int:
        """The place of the first span that begins after `offset`."""
        return bisect_right(self.offsets, offset)

    def from_byte(self, offset: int) -> int:
        """The place of the first span that begins at `offset` or after it."""
        return bisect_left(self.offsets, offset)

    def pack(self, options: dict[int, int]) -> Iterator[tuple[BlockEntry, bytes]]:
        """The blocks, each with its entry in the index; `options` are zstd's."""
        for first in range(0, len(self), BLOCK_SPANS):
            last = min(first + BLOCK_SPANS, len(self))
            offsets, times = self.offsets[first:last], self.times[first:last]
            count = last - first
            planes = (
                _planes(struct.pack(f"<{count}I", *_differences(offsets)), 4)
                + _planes(struct.pack(f"<{count}q", *_differences(times)), 8)
                + self._streams[first:last].tobytes()
                + _planes(struct.pack(f"<{count}H", *self._steps[first:last]), 2)
            )
            packed = zstd.compress(planes, options=options)
            yield BlockEntry(offsets[0], times[0], max(times), count, len(packed)), packed

    @classmethod
    def unpack(cls, block: BlockEntry, packed: bytes) -> Spans:
        """One block's spans; raises ZstdError or ValueError for a block that is not one."""
        planes, count = zstd.decompress(packed), block.spans
        if len(planes) != count * _SPAN_BYTES:
            raise ValueError(f"a block of {count} spans has {len(planes)} bytes")
        offsets = struct.unpack(f"<{count}I", _joined(planes[: 4 * count], 4))
        times = struct.unpack(f"<{count}q", _joined(planes[4 * count : 12 * count], 8))
        steps = struct.unpack(f"<{count}H", _joined(planes[13 * count :], 2))
        spans = cls()
        spans.offsets = array("Q", accumulate((block.first_byte + offsets[0], *offsets[1:])))
        spans.times = array("q", accumulate((block.first_time + times[0], *times[1:])))
        spans._streams = array("B", planes[12 * count : 13 * count])
        spans._steps = array("H", steps)
        return spans


def _differences(values: array[int]) -> list[int]:
    return [0, *(after - before for before, after in pairwise(values))]


def _planes(data: bytes, width: int) -> bytes:
    return b"".join(data[place::width] for place in range(width))


def _joined(planes: bytes, width: int) -> bytearray:
    count = len(planes) // width
    data = bytearray(len(planes))
    for place in range(width):
        data[place::width] = planes[place * count : (place + 1) * count]
    return data
