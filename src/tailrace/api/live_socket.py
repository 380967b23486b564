"""A client of `/api/live` whose transport was taken from the server: its frames are read and answered here."""

from __future__ import annotations

import asyncio

from tailrace.api.live_connection import LiveConnection
from tailrace.live.connections import Client
from tailrace.live.hub import LogHub
from tailrace.live.topics import TopicHub
from tailrace.live.watcher import Outlet
from tailrace.live.websocket import (
    PING_FRAME,
    Close,
    CloseCode,
    FrameError,
    FrameReader,
    Ping,
    Pong,
    Said,
    close_frame,
    pong_frame,
)


class LiveSocket(LiveConnection):
    """A LiveConnection over a transport. One message is obeyed after the other; meanwhile the client is not read from."""

    __slots__ = ("_answered", "_deaf", "_obeying", "_reader")

    def __init__(self, logs: LogHub, topics: TopicHub, client: Client) -> None:
        super().__init__(logs, topics, client)
        self._reader = FrameReader()
        self._obeying: asyncio.Task[None] | None = None
        self._deaf = False
        self._answered = True  # since the last beat, or it was asked nothing

    def data_received(self, data: bytes) -> None:
        self._answered = True
        self._reader.feed(data)
        self._listen()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._obeying is not None:
            self._obeying.cancel()
        super().connection_lost(exc)

    def pump(self) -> None:
        super().pump()
        if self._deaf and not self.full:
            self._listen()

    def _listen(self) -> None:
        """Take the client's messages, as far as it may be listened to."""
        while (outlet := self._outlet) is not None:
            busy = self._obeying is not None or self.full
            if busy != self._deaf:
                self._deaf = busy
                (outlet.pause_reading if busy else outlet.resume_reading)()
            if busy:
                return
            try:
                message = self._reader.take()
            except FrameError as error:
                self.stop()
                self._end(outlet, close_frame(error.code, str(error)))
                return
            match message:
                case None:
                    return
                case Said():
                    if not self._closing:
                        self._obeying = asyncio.create_task(self.obey(message.data))
                        self._obeying.add_done_callback(self._obeyed)
                case Ping():
                    if not self._paused:
                        outlet.write(pong_frame(message.data))
                case Pong():
                    pass
                case Close():
                    if not self._closing:
                        self.stop()
                        outlet.write(close_frame(message.code or CloseCode.NORMAL))
                    outlet.close()
                    return

    def _obeyed(self, task: asyncio.Task[None]) -> None:
        self._obeying = None
        if not task.cancelled() and task.exception() is not None and self._outlet is not None:
            self._outlet.abort()
        self._listen()

    def _end(self, outlet: Outlet, farewell: bytes) -> None:
        outlet.write(farewell)
        outlet.close()

    def _say_beat(self, outlet: Outlet) -> None:
        super()._say_beat(outlet)
        self._answered = False
        outlet.write(PING_FRAME)

    def _silent(self) -> bool:
        return not self._answered
