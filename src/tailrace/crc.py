"""CRC-32, as zlib and gzip have it; ten times as fast where ISA-L is there, which has the processor's own way."""

from __future__ import annotations

import zlib
from collections.abc import Callable

crc32: Callable[..., int] = zlib.crc32
try:
    from isal import isal_zlib
except ImportError:
    pass
else:
    crc32 = isal_zlib.crc32  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
"""`crc32(data, value=0)`: of `data` (any bytes-like object) after bytes whose CRC-32 is `value`."""
