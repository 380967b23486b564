"""How much of a spool's beginning its agent has given back to the disk, kept so that a full disk cannot be in the way."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

from tailrace import crc
from tailrace.holes import punch

_WORDS = struct.Struct("<QI")
_CHECK = struct.Struct("<I")
_SLOT_BYTES = _WORDS.size + _CHECK.size
MARK_BYTES = 2 * _SLOT_BYTES
"""Two places, written in turn: one that a crash left half written has a wrong check, and the other one counts."""
STEP_BYTES = 1 << 20
_BEYOND = 1 << 16  # past the end of a mark's file: to free nothing there tells whether it can be done


class Mark(NamedTuple):
    """`offset` bytes are freed, or about to be; `crc32` is theirs."""

    offset: int = 0
    crc32: int = 0


def freeable(durable: int) -> int:
    """Up to where a spool may be freed of which the server holds `durable` bytes: whole MiB, and never its last byte."""
    return max(durable - 1, 0) // STEP_BYTES * STEP_BYTES


def can_free(path: Path) -> bool:
    """Whether the file system of a mark's file can free a part of a file."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return punch(file, _BEYOND, 2 * _BEYOND)
    finally:
        os.close(file)


def read_mark(path: Path) -> Mark:
    """The newest whole mark; nothing is freed where there is no file."""
    try:
        return max(_slots(path))
    except FileNotFoundError:
        return Mark()


def keep_mark(path: Path, mark: Mark) -> None:
    """Keep a mark for good, in place of the older one of the two; raises OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        slots = _slots(path)
        words = _WORDS.pack(*mark)
        record = words + _CHECK.pack(crc.crc32(words))
        if os.pwrite(file, record, slots.index(min(slots)) * _SLOT_BYTES) != len(record):
            raise OSError(f"{path} was written in part")
        os.fdatasync(file)
    finally:
        os.close(file)


def _slots(path: Path) -> list[Mark]:
    data = path.read_bytes()[:MARK_BYTES].ljust(MARK_BYTES, b"\0")
    return [_mark(data[at : at + _SLOT_BYTES]) for at in (0, _SLOT_BYTES)]


def _mark(record: bytes) -> Mark:
    words, check = record[: _WORDS.size], record[_WORDS.size :]
    return Mark(*_WORDS.unpack(words)) if _CHECK.unpack(check)[0] == crc.crc32(words) else Mark()
