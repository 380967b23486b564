"""Where a chunk of UTF-8 would cut a character."""

from __future__ import annotations


def unfinished(data: bytes) -> int:
    """How many bytes at the end of `data` (0 to 3) begin a character of UTF-8 that is not whole yet."""
    for length in range(1, min(3, len(data)) + 1):
        byte = data[-length]
        if byte & 0xC0 == 0x80:
            continue
        if 0xC2 <= byte <= 0xF4:
            whole = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return length if length < whole else 0
        return 0
    return 0
