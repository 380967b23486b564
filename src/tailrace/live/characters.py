"""Where UTF-8 may be cut, and how long a text is for a browser."""

from __future__ import annotations

MAX_HELD_BYTES = 3


def unfinished(data: bytes) -> int:
    """How many bytes at the end begin a character that more bytes could finish: 0 to 3."""
    for back in range(1, min(MAX_HELD_BYTES, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return 0
        if byte >= 0xC0:
            try:
                data[-back:].decode()
            except UnicodeDecodeError as error:
                return back if error.reason == "unexpected end of data" else 0
            return 0
    return 0


def utf16_units(text: str) -> int:
    """The length of `text` in UTF-16 code units, as JavaScript counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
