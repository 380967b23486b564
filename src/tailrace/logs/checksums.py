"""CRC-32 of bytes that are not at hand in one piece."""

from __future__ import annotations

from functools import lru_cache

from tailrace import crc

_TABLE_FROM = 4096  # for fewer bytes a pass over zeros is as fast as a table


def combine(first: int, second: int, length: int) -> int:
    """The CRC-32 of two stretches, one after the other, from theirs; `length` is the second's, in bytes.

    CRC-32 is affine in the value it starts from, so running it over zeros moves a value past so many bytes.
    """
    if length < _TABLE_FROM:
        zeros = bytes(length)
        return crc.crc32(zeros, first) ^ crc.crc32(zeros) ^ second
    for bit, moved in enumerate(_moved_bits(length)):
        if first >> bit & 1:
            second ^= moved
    return second


@lru_cache(maxsize=16)
def _moved_bits(length: int) -> tuple[int, ...]:
    zeros = bytes(length)
    none = crc.crc32(zeros)
    return tuple(crc.crc32(zeros, 1 << bit) ^ none for bit in range(32))
