"""The text of a plan file before it is YAML: its size, encoding and characters."""

from __future__ import annotations

import re

from tailrace.domain.plan.errors import Place, Unreadable

MAX_BYTES = 1024 * 1024
_START = Place(1, 1)
# YAML's printable characters without those that YAML 1.1 takes for line breaks and YAML 1.2 and editors do
# not (U+0085, U+2028, U+2029), nor a byte order mark inside the text.
_REFUSED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def read_source(source: str | bytes) -> str:
    """Return the text without its byte order mark; raises Unreadable when it is not clean UTF-8 text."""
    if len(source) > MAX_BYTES:
        raise _too_large()
    text = _decode(source) if isinstance(source, bytes) else source
    text = text.removeprefix("\ufeff")
    if bad := _REFUSED.search(text):
        raise Unreadable(place_at(text, bad.start()), _refusal(bad.group()))
    if len(text.encode()) > MAX_BYTES:
        raise _too_large()
    return text


def place_at(text: str, index: int) -> Place:
    """Return where the character at `index` stands."""
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _decode(source: bytes) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        before = source[: error.start].decode().removeprefix("\ufeff")
        guess = " (it looks like UTF-16)" if source[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise Unreadable(
            place_at(before, len(before)),
            f"byte 0x{source[error.start]:02x} is not UTF-8{guess}; a plan file is UTF-8 text",
        ) from None


def _refusal(character: str) -> str:
    point = ord(character)
    if 0xD800 <= point <= 0xDFFF:
        return f"U+{point:04X} is half of a character; a plan file is UTF-8 text"
    escape = f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"
    return (
        f"character U+{point:04X} cannot stand in a plan file; "
        f'where a value needs it, write {escape} between double quotes: "{escape}"'
        if point
        else "character U+0000 cannot stand in a plan file; a plan file is UTF-8 text"
    )


def _too_large() -> Unreadable:
    return Unreadable(_START, "the file is larger than 1 MiB, the most that a plan file may be")
