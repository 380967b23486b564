"""Sizes in bytes, as people write and read them."""

from __future__ import annotations

import re

SIZE_FORMS = "whole bytes, or KiB, MiB or GiB such as 512KiB, 100MiB or 1GiB"
KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
_UNITS = {"": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}
_SIZE = re.compile(r"([0-9]{1,15}) ?(|KiB|MiB|GiB)")


def parse_size(text: str) -> int | None:
    """The bytes that `text` names (`4096`, `512KiB`, `1 GiB`), or None when it names none."""
    found = _SIZE.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def size_words(size: int) -> str:
    """`1 GiB` where a unit divides it, `1,500 bytes` where none does."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]:,} {unit}"
    return f"{size:,} bytes"
