"""How many columns of a terminal a character takes."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Ranges in which every character takes one column: what accents, frames, bars and spinners are made of. The surrogates
# stand for bytes that are no UTF-8.
_NARROW = re.compile(
    "[ -~\u00a0-\u02ff\u0370-\u0482\u2010-\u2027\u2190-\u2319\u2500-\u25fc\u2800-\u28ff\udc80-\udcff]*"
)


def narrow(text: str) -> bool:
    """Whether every character takes one column; a False may be wrong, a True is not."""
    return text.isascii() or _NARROW.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def columns(character: str) -> int:
    """0 for a mark that combines with the character before it, 2 for a wide one (East Asian W and F), else 1."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 1 if character == "\u00ad" else 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
