"""The wire to a connected agent: its messages as they come, as many at once as there are."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol, cast

from starlette.websockets import WebSocket, WebSocketDisconnect

from tailrace.api.detach import DetachSocket, way_out
from tailrace.live.signal import Signal
from tailrace.live.websocket import (
    Close,
    CloseCode,
    FrameError,
    Ping,
    Pong,
    close_frame,
    pong_frame,
    text_frame,
)
from tailrace.live.websocket_buffer import MessageBuffer

MOST_WAITING_BYTES = 2 * 1024 * 1024
"""Of messages that were read and not taken: while there are more, nothing is read."""

_PATIENCE_S = 5.0


class AgentLine(Protocol):
    """One connection. All of it is used in the event loop. `heard_at` is when something came last, by the loop's clock."""

    heard_at: float

    async def receive(self) -> list[str | bytes]:
        """What came since the last call, in its order, as soon as there is something; nothing once the connection has ended."""
        ...

    def say(self, text: bytes) -> None:
        """Send a text message after those before it; ignored once the connection has ended."""
        ...

    async def close(self, code: int, why: str) -> None:
        """End the connection."""
        ...

    def cut(self) -> None:
        """End it without a word: nobody hears it."""
        ...


async def take_line(socket: WebSocket, most_bytes: int) -> AgentLine | None:
    """Accept the connection and take its transport, where the server lets us; None when the agent has gone.

    A message has at most `most_bytes`.
    """
    detach = cast("DetachSocket | None", way_out(socket.scope))
    await socket.accept()
    if detach is None:
        return AsgiLine(socket)
    line = SocketLine(most_bytes)
    return line if line.take(detach) else None


class SocketLine(asyncio.BufferedProtocol):
    """Over a transport that was taken from the server: the system writes into our buffer, nothing is between."""

    def __init__(self, most_bytes: int) -> None:
        self._buffer = MessageBuffer(most_bytes)
        self._transport: asyncio.Transport | None = None
        self._waiting: list[str | bytes] = []
        self._size = 0
        self._paused = False
        self._signal = Signal()
        self._loop = asyncio.get_running_loop()
        self.heard_at = self._loop.time()

    def take(self, detach: DetachSocket) -> bool:
        """Have the transport; False when the agent has gone."""
        transport = detach(self)
        if transport is None or transport.is_closing():
            return False
        transport.pause_reading()  # what it read until now it gave to another protocol, in another way
        transport.resume_reading()
        self._transport = transport
        return True

    async def receive(self) -> list[str | bytes]:
        while not self._waiting and self._transport is not None:
            await self._signal.wait()
        came, self._waiting, self._size = self._waiting, [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return came

    def say(self, text: bytes) -> None:
        if self._transport is not None:
            self._transport.write(text_frame(text))

    async def close(self, code: int, why: str) -> None:
        if self._transport is not None:
            self._end(close_frame(code, why))

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # What the transport calls

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer.room()

    def buffer_updated(self, nbytes: int) -> None:
        self.heard_at = self._loop.time()
        self._buffer.filled(nbytes)
        try:
            while self._transport is not None and (message := self._buffer.take()) is not None:
                self._take(message)
        except FrameError as error:
            self._end(close_frame(error.code, str(error)))
        self._signal.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._signal.set()

    def _take(self, message: str | bytes | Ping | Pong | Close) -> None:
        transport = self._transport
        assert transport is not None
        match message:
            case Ping():
                transport.write(pong_frame(message.data))
            case Pong():
                pass
            case Close():
                self._end(close_frame(message.code or CloseCode.NORMAL))
            case _:
                self._waiting.append(message)
                self._size += len(message)
                if self._size > MOST_WAITING_BYTES and not self._paused:
                    self._paused = True
                    transport.pause_reading()

    def _end(self, farewell: bytes) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.write(farewell)
            transport.close()
            self._loop.call_later(_PATIENCE_S, transport.abort)  # who does not read would keep it for ever
        self._signal.set()


class AsgiLine:
    """Over what an ASGI server offers."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._out: deque[str] = deque()
        self._signal = Signal()
        self._sending = asyncio.create_task(self._send())
        self.heard_at = asyncio.get_running_loop().time()

    async def receive(self) -> list[str | bytes]:
        with suppress(WebSocketDisconnect, RuntimeError):
            frame = await self._socket.receive()
            self.heard_at = asyncio.get_running_loop().time()
            if frame["type"] == "websocket.receive":
                return [frame.get("bytes") or frame.get("text") or b""]
        self._sending.cancel()
        return []

    def say(self, text: bytes) -> None:
        self._out.append(text.decode())
        self._signal.set()

    async def close(self, code: int, why: str) -> None:
        self._sending.cancel()
        with suppress(RuntimeError, WebSocketDisconnect):
            await self._socket.close(code, why)

    def cut(self) -> None:
        """The server notices by itself."""

    async def _send(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the reader hears of it too
            while True:
                while self._out:
                    await self._socket.send_text(self._out.popleft())
                await self._signal.wait()
