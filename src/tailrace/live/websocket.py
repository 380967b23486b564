"""WebSocket frames (RFC 6455), as far as watching needs them: ours are made once and shared, a client's are small.

No I/O: bytes in, messages out, and the other way round.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

MOST_BYTES = 64 * 1024
"""Of a client's message, however many frames carry it."""

TEXT, BINARY = 0x1, 0x2
CONTROL = 0x8
FIN = 0x80
_MASKED = 0x80
_MOST_CONTROL_BYTES = 125
_UNSENT = {1004, 1005, 1006, 1015}
"""Codes that stand for something and are never on the wire (RFC 6455, 7.4)."""


class CloseCode(IntEnum):
    """Why a connection ends, of those that we say (RFC 6455, 7.4.1, and its registry)."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    INVALID_TEXT = 1007
    TOO_BIG = 1009
    TRY_AGAIN_LATER = 1012


class FrameError(Exception):
    """A client does not keep to the protocol; `code` is what it is told, with the text, before the connection ends."""

    def __init__(self, code: CloseCode, why: str) -> None:
        super().__init__(why)
        self.code = code


class Said(NamedTuple):
    """A whole text or binary message; text is valid UTF-8."""

    data: bytes


class Ping(NamedTuple):
    """To be answered by a pong with the same data."""

    data: bytes


class Pong(NamedTuple):
    data: bytes


class Close(NamedTuple):
    """The client ends the connection; `code` is None where it names none."""

    code: int | None


def text_frame(text: bytes) -> bytes:
    """A whole text message of a server, from UTF-8."""
    return _head(TEXT, len(text)) + text


def payload_of(frame: bytes) -> bytes:
    """What `text_frame` was given."""
    length = frame[1]
    return frame[2 if length < 126 else 4 if length == 126 else 10 :]


def pong_frame(data: bytes) -> bytes:
    """The answer to a ping."""
    return _head(0xA, len(data)) + data


def close_frame(code: int | None, reason: str = "") -> bytes:
    """The end of a connection; the reason is cut to what fits."""
    body = b""
    if code is not None:
        words = reason.encode()[: _MOST_CONTROL_BYTES - 2].decode(errors="ignore").encode()
        body = code.to_bytes(2, "big") + words
    return _head(CONTROL, len(body)) + body


def code_of(frame: bytes) -> int | None:
    """The code that `close_frame` was given; None for any other frame."""
    if frame[0] != FIN | CONTROL or len(frame) < 4:
        return None
    return int.from_bytes(frame[2:4], "big")


def _head(opcode: int, length: int) -> bytes:
    first = FIN | opcode
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


PING_FRAME = _head(0x9, 0)


class FrameReader:
    """A client's bytes, cut anywhere, become its messages, one at a time.

    It holds what was fed and not taken, and the frames of an unfinished message: no more than MOST_BYTES of them.
    """

    __slots__ = ("_at", "_data", "_opcode", "_parts", "_size")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0  # what lies before it was taken
        self._parts: list[bytes] | None = None
        self._opcode = 0
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Add what came."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def take(self) -> Said | Ping | Pong | Close | None:
        """The next message; None until more comes. Raises FrameError, after which nothing more can be had."""
        while True:
            frame = self._take_frame()
            if frame is None:
                return None
            final, opcode, payload = frame
            if opcode & CONTROL:
                return control_of(opcode, payload)
            message = self._join(final, opcode, payload)
            if message is not None:
                return message

    def _take_frame(self) -> tuple[bool, int, bytes] | None:
        data, at = self._data, self._at
        held = len(data) - at
        if held < 2:
            return None
        first, length = data[at], data[at + 1] & 0x7F
        check_head(first, data[at + 1], self._parts is not None)
        head = 2 if length < 126 else 4 if length == 126 else 10
        if held < head:
            return None
        if head > 2:
            length = int.from_bytes(data[at + 2 : at + head], "big")
        if length + (0 if first & CONTROL else self._size) > MOST_BYTES:
            raise FrameError(CloseCode.TOO_BIG, f"a message may have {MOST_BYTES} bytes")
        begin = at + head + 4
        stop = begin + length
        if len(data) < stop:
            return None
        self._at = stop
        if stop == len(data):
            self._data, self._at = b"", 0
        return bool(first & FIN), first & 0xF, _unmask(data[begin - 4 : begin], data[begin:stop])

    def _join(self, final: bool, opcode: int, payload: bytes) -> Said | None:
        if self._parts is None:
            self._opcode = opcode
            if not final:
                self._parts, self._size = [payload], len(payload)
                return None
        else:
            self._parts.append(payload)
            self._size += len(payload)
            if len(self._parts) > MOST_BYTES // 64:
                raise FrameError(CloseCode.TOO_BIG, "a message in so many frames")
            if not final:
                return None
            payload, self._parts, self._size = b"".join(self._parts), None, 0
        if self._opcode == TEXT:
            check_text(payload)
        return Said(payload)


def check_head(first: int, second: int, joining: bool) -> None:
    """Raises FrameError for a frame that no client may send; `joining`: a message has begun and goes on."""
    opcode = first & 0xF
    why = None
    if first & 0x70:
        why = "reserved bits are set: no extension was agreed on"
    elif not second & _MASKED:
        why = "a client's frames are masked"
    elif opcode & CONTROL:
        if opcode > 0xA:
            why = f"opcode {opcode} is reserved"
        elif not first & FIN or second & 0x7F > _MOST_CONTROL_BYTES:
            why = f"a control frame is one frame of {_MOST_CONTROL_BYTES} bytes at most"
    elif opcode > BINARY:
        why = f"opcode {opcode} is reserved"
    elif opcode and joining:
        why = "a message begins before the one before it has ended"
    elif not opcode and not joining:
        why = "a continuation of nothing"
    if why is not None:
        raise FrameError(CloseCode.PROTOCOL_ERROR, why)


def control_of(opcode: int, payload: bytes) -> Ping | Pong | Close:
    """The message in a control frame. Raises FrameError."""
    if opcode == 0x9:
        return Ping(payload)
    if opcode == 0xA:
        return Pong(payload)
    if not payload:
        return Close(None)
    if len(payload) == 1:
        raise FrameError(CloseCode.PROTOCOL_ERROR, "half a close code")
    code = int.from_bytes(payload[:2], "big")
    if not 1000 <= code < 5000 or code in _UNSENT or 1016 <= code < 3000:
        raise FrameError(CloseCode.PROTOCOL_ERROR, f"{code} is no code to close with")
    check_text(payload[2:])
    return Close(code)


def check_text(data: bytes) -> None:
    """Raises FrameError for what is not UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        raise FrameError(CloseCode.INVALID_TEXT, "text that is not UTF-8") from None


def _unmask(mask: bytes, data: bytes) -> bytes:
    length = len(data)
    key = int.from_bytes((mask * (length // 4 + 1))[:length], "little")
    return (int.from_bytes(data, "little") ^ key).to_bytes(length, "little")
