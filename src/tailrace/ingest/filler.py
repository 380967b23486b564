"""What stands in a log for bytes that are lost: its other bytes keep their addresses."""

from __future__ import annotations

from tailrace.domain.spans import Span, Stream
from tailrace.logs.base import LogStore

_PIECE_BYTES = 1 << 20
_LINE = b" " * 4095 + b"\n"


Appended = tuple[int, list[Span], bytes]
"""Where it begins, its spans, its bytes."""


def fill_piece(logs: LogStore, log: int, stop: int, now_ms: int, *, first: bool) -> Appended | None:
    """Append the next piece of a filler that ends at `stop`; the first one says what is missing. None when there is none to add.

    Raises OSError: what was appended before stays, and is gone on with.
    """
    start = logs.end(log)
    length = min(stop - start, _PIECE_BYTES)
    if length <= 0:
        return None
    words = f"\ntailrace: {stop - start:,} bytes are lost from here on: the server had them and lost them\n"
    text = words.encode()[:length] if first else b""
    data = text + (_LINE * (length // len(_LINE) + 1))[: length - len(text)]
    return _append(logs, log, start, data, now_ms)


def append_words(logs: LogStore, log: int, text: str, now_ms: int) -> Appended:
    """Add a line of Tailrace's own to a log that will not be whole. Raises OSError."""
    return _append(logs, log, logs.end(log), f"\ntailrace: {text}\n".encode(), now_ms)


def _append(logs: LogStore, log: int, start: int, data: bytes, now_ms: int) -> Appended:
    spans = [Span(start, now_ms, Stream.SYSTEM, 0)]
    logs.append(log, start, spans, data)
    return start, spans, data
