"""The open connections of watchers: one timer beats for all, one call ends all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Protocol

BEAT_S = 15.0
"""Proxies cut connections that are idle for 60 s."""

CLOSE_GRACE_S = 0.5
"""How long a connection may take to say goodbye; one whose client does not read never could."""


class Connection(Protocol):
    """A watcher's connection, as seen from the one place that knows all; called in the event loop, must not block."""

    def beat(self) -> None:
        """Say that you are alive, unless you are saying something else."""
        ...

    def close(self) -> None:
        """Tell the client when to come back, and end."""
        ...

    def abandon(self) -> None:
        """End at once, without a word."""
        ...


class Connections:
    """What is open, and whether anything more may be."""

    def __init__(self, beat_s: float = BEAT_S) -> None:
        self.closed = False
        self._beat_s = beat_s
        self._open: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._open)

    def join(self, connection: Connection) -> Callable[[], None]:
        """Count this connection in; returns what counts it out. One that joins after `close` is closed at once."""
        self._open.add(connection)
        self._empty.clear()
        if self.closed:
            connection.close()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._beat_s, self._beat)

        def leave() -> None:
            self._open.discard(connection)
            if not self._open:
                self._empty.set()

        return leave

    async def close(self) -> None:
        """End every connection, those that cannot end in good order after a moment."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in tuple(self._open):
            connection.close()
        try:
            await asyncio.wait_for(self._empty.wait(), CLOSE_GRACE_S)
        except TimeoutError:
            for connection in tuple(self._open):
                connection.abandon()

    def _beat(self) -> None:
        self._timer = None
        if self._open:
            self._timer = asyncio.get_running_loop().call_later(self._beat_s, self._beat)
        for connection in tuple(self._open):
            connection.beat()


def retry_ms() -> int:
    """When a client should come back; spread, so that not all come at once."""
    return random.randint(500, 2500)  # noqa: S311
