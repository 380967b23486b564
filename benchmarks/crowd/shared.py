"""What all watchers of one log have in common: its bytes, and the pieces in which they came."""

from __future__ import annotations

import re
from typing import NamedTuple

STAMP = re.compile(rb"@(\d{19});")


class Broken(Exception):
    """A watcher was not given the log as it is: bytes that are missing, skipped, different, or no answer at all."""


class Piece(NamedTuple):
    """The bytes [start, stop) of the log; `stamps` are the times (ns) at which they say that they were written."""

    start: int
    stop: int
    stamps: tuple[int, ...]


class SharedLog:
    """The log as the first watcher saw it, with which what the others see is compared."""

    def __init__(self) -> None:
        self._data = bytearray()

    def piece(self, start: int, stop: int, text: str) -> Piece:
        """Compare what a watcher was sent; raises Broken when it is not what the others were sent."""
        data = text.encode()
        if len(data) != stop - start:
            raise Broken(f"the bytes {start} to {stop} came as {len(data)} bytes of text")
        known = bytes(self._data[start:stop])
        if start > len(self._data) or known != data[: len(known)]:
            raise Broken(
                f"the bytes {start} to {stop} are not those that others were sent, or some before are missing"
            )
        self._data += data[len(known) :]
        return Piece(start, stop, tuple(int(found[1]) for found in STAMP.finditer(data)))

    @property
    def size(self) -> int:
        return len(self._data)
