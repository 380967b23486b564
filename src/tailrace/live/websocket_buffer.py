"""Large messages of a WebSocket's client (RFC 6455), read where the system puts its bytes. No I/O."""

from __future__ import annotations

from tailrace.live.websocket import (
    CONTROL,
    FIN,
    TEXT,
    Close,
    CloseCode,
    FrameError,
    Ping,
    Pong,
    check_head,
    check_text,
    control_of,
)

try:
    from websockets.speedups import apply_mask
except ImportError:  # where it could not be built
    from websockets.utils import apply_mask

SMALL_BYTES = 16 * 1024
"""Of a buffer, while its client says little."""

LARGE_BYTES = 1024 * 1024
"""Of a buffer, once its client has said more at once than fits into a small one."""

_MOST_FRAMES = 1024
"""Of one message."""


class MessageBuffer:
    """A client's bytes are put where `room` says, counted by `filled`, and become messages that are taken one at a time.

    A message is copied once, when its mask is taken off. None has more than `most_bytes`.
    """

    __slots__ = ("_begin", "_data", "_end", "_most", "_opcode", "_parts", "_size")

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._data = bytearray(SMALL_BYTES)
        self._begin = self._end = 0  # what lies between came and was not taken
        self._parts: list[bytes] | None = None  # of a message that has begun
        self._opcode = 0
        self._size = 0

    def room(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if self._end == len(self._data):
            self._make_room(self._end - self._begin + 1)
        return memoryview(self._data)[self._end :]

    def filled(self, count: int) -> None:
        """So many bytes were put there."""
        self._end += count

    def take(self) -> str | bytes | Ping | Pong | Close | None:
        """The next message; None until more comes. Raises FrameError, after which nothing more can be had."""
        while (frame := self._take_frame()) is not None:
            first, payload = frame
            opcode = first & 0xF
            if opcode & CONTROL:
                return control_of(opcode, payload)
            message = self._join(bool(first & FIN), opcode, payload)
            if message is None:
                continue
            if self._opcode != TEXT:
                return message
            check_text(message)
            if self._begin == self._end:  # it talks again, and does not pour
                self._begin = self._end = 0
                if len(self._data) > SMALL_BYTES:
                    self._data = bytearray(SMALL_BYTES)
            return message.decode()
        return None

    def _take_frame(self) -> tuple[int, bytes] | None:
        data, at = self._data, self._begin
        held = self._end - at
        if held < 2:
            return None
        first, length = data[at], data[at + 1] & 0x7F
        check_head(first, data[at + 1], self._parts is not None)
        head = 2 if length < 126 else 4 if length == 126 else 10
        if held < head:
            return None
        if head > 2:
            length = int.from_bytes(data[at + 2 : at + head], "big")
        if length + (0 if first & CONTROL else self._size) > self._most:
            raise FrameError(CloseCode.TOO_BIG, f"a message may have {self._most} bytes")
        begin = at + head + 4
        stop = begin + length
        if self._end < stop:
            if stop > len(data):
                self._make_room(stop - at)
            return None
        self._begin = stop
        if stop == self._end:
            self._begin = self._end = 0
        with memoryview(data) as view:
            return first, apply_mask(view[begin:stop], bytes(view[begin - 4 : begin]))

    def _make_room(self, wanted: int) -> None:
        """Let what is held begin at the beginning, with room for `wanted` bytes in all."""
        held = self._data[self._begin : self._end]
        if wanted > len(self._data):
            # A new one: whoever fills this one may still have it in hand.
            self._data = bytearray(max(wanted, LARGE_BYTES))
        self._data[: len(held)] = held
        self._begin, self._end = 0, len(held)

    def _join(self, final: bool, opcode: int, payload: bytes) -> bytes | None:
        if self._parts is None:
            self._opcode = opcode
            if final:
                return payload
            self._parts = []
        self._parts.append(payload)
        self._size += len(payload)
        if len(self._parts) > _MOST_FRAMES:
            raise FrameError(CloseCode.TOO_BIG, "a message in so many frames")
        if not final:
            return None
        message, self._parts, self._size = b"".join(self._parts), None, 0
        return message
