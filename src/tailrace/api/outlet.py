"""Stands for a transport where an ASGI server lets us have none: what is written goes through `send`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.types import Message, Send

from tailrace.live.signal import Signal
from tailrace.live.watcher import Watcher
from tailrace.live.websocket import code_of, payload_of

Wrap = Callable[[bytes], Message | None]
"""Makes a message for `send` of what was written; None for what the server sends by itself."""


class AsgiOutlet:
    """An outlet over `send`; `run` sends what was written, one after the other, until the end."""

    def __init__(self, watcher: Watcher, send: Send, wrap: Wrap) -> None:
        self._watcher = watcher
        self._send = send
        self._wrap = wrap
        self._written: deque[bytes] = deque()
        self._size = 0
        self._high = self._low = 0
        self._full = False
        self._closing = False
        self._sending: asyncio.Task[None] | None = None
        self._signal = Signal()
        self._room = asyncio.Event()
        self._room.set()

    def write(self, data: bytes, /) -> None:
        if self._closing:
            return
        self._written.append(data)
        self._size += len(data)
        self._signal.set()
        self._check_full()

    def close(self) -> None:
        self._closing = True
        self._signal.set()

    def abort(self) -> None:
        self._closing = True
        if self._sending is not None:
            self._sending.cancel()

    def pause_reading(self) -> None:
        """Its reader asks `room`."""

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return self._size

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or 0
        self._low = self._high // 4 if low is None else low
        self._check_full()

    async def room(self) -> None:
        """Wait while more is waiting than should be."""
        await self._room.wait()

    async def run(self) -> bool:
        """Send until closed and all is sent, True; or until aborted: a server's `send` may wait for its client for ever."""
        self._sending = asyncio.create_task(self._send_all())
        try:
            await asyncio.wait({self._sending})
        finally:
            self._sending.cancel()
        if self._sending.cancelled():
            return False
        error = self._sending.exception()
        # An OSError is how servers say that the client has gone.
        if error is not None and not isinstance(error, OSError):
            raise error
        return error is None

    async def _send_all(self) -> None:
        while True:
            if self._written:
                data = self._written[0]
                message = self._wrap(data)
                if message is not None:
                    await self._send(message)
                self._written.popleft()
                self._size -= len(data)
                if self._full and self._size <= self._low:
                    self._full = False
                    self._room.set()
                    self._watcher.resume_writing()
            elif self._closing:
                return
            else:
                await self._signal.wait()

    def _check_full(self) -> None:
        if self._size > self._high and not self._full:
            self._full = True
            self._room.clear()
            self._watcher.pause_writing()


def as_body(data: bytes) -> Message:
    """For a streaming response."""
    return {"type": "http.response.body", "body": data, "more_body": True}


def as_message(frame: bytes) -> Message | None:
    """For a WebSocket: the text in a frame, or the end."""
    code = code_of(frame)
    if code is not None:
        return {"type": "websocket.close", "code": code}
    return {"type": "websocket.send", "text": payload_of(frame).decode()}
