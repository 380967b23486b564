"""A watcher's connection: a small object that a transport calls, with neither task nor queue of its own."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Protocol

from tailrace.live.connections import Client

CATCHING_UP_BYTES = 64 * 1024
"""What may wait in the transport of one who is sent what was there before: the next piece is read when it has drained."""

FOLLOWING_BYTES = 1024 * 1024
"""What may wait in the transport of one who follows. The frames are shared, so they are in memory once for all."""

STUCK_BEATS = 4
"""Who has taken nothing of what waits, or has not been heard of, for so many beats, is gone."""


class Outlet(Protocol):
    """Where a connection's bytes go: an asyncio transport, or what stands for one."""

    def write(self, data: bytes, /) -> object: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


class Watcher(asyncio.Protocol):
    """What watchers of every kind have in common. It is its transport's protocol; it begins with `start`.

    Memory is counted here: there are tens of thousands of these.
    """

    __slots__ = ("_closing", "_missed", "_outlet", "_paused", "_waited", "client")

    def __init__(self, client: Client) -> None:
        self.client = client
        self._outlet: Outlet | None = None
        self._paused = False
        self._closing = False
        self._waited = 0  # bytes that waited in the transport at the last beat
        self._missed = 0  # beats in a row

    def start(self, outlet: Outlet) -> None:
        """The head of the answer was written: from now on this is the outlet's protocol."""
        self._outlet = outlet
        outlet.set_write_buffer_limits(CATCHING_UP_BYTES)
        if self._closing:
            self._say_goodbye(outlet)
        else:
            self.pump()

    @abstractmethod
    def pump(self) -> None:
        """Write what there is, as far as the outlet takes it. Called whenever there may be something."""

    @abstractmethod
    def stop(self) -> None:
        """Nothing is to be written any more: let go of what is watched. May be called again."""

    @abstractmethod
    def _say_goodbye(self, outlet: Outlet) -> None:
        """Tell the client when to come back, then end."""

    @abstractmethod
    def _say_beat(self, outlet: Outlet) -> None:
        """Nothing waits: say that the server is alive."""

    def pause_writing(self) -> None:
        self._paused = True
        if self._outlet is not None:
            self._outlet.set_write_buffer_limits(CATCHING_UP_BYTES)

    def resume_writing(self) -> None:
        self._paused = False
        if not self._closing:
            self.pump()

    def eof_received(self) -> bool | None:
        """The client says no more, and so hears no more: what waits is still sent."""
        self.stop()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._outlet = None
        self.stop()

    def beat(self) -> None:
        outlet = self._outlet
        if outlet is None:
            return
        waiting = outlet.get_write_buffer_size()
        silent = self._silent() if not waiting else waiting == self._waited
        self._waited = waiting
        self._missed = self._missed + 1 if silent or self._closing else 0
        if self._missed >= STUCK_BEATS:
            outlet.abort()
        elif not waiting and not self._closing:
            self._say_beat(outlet)

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        if self._outlet is not None:
            self._say_goodbye(self._outlet)

    def abandon(self) -> None:
        if self._outlet is not None:
            self._outlet.abort()

    def _silent(self) -> bool:
        """Whether the client, asked at the last beat, has not answered."""
        return False
