"""A watcher of one log as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
import structlog

from tailrace.domain.errors import NotFound
from tailrace.live.connections import Client, retry_ms
from tailrace.live.hub import LogHub
from tailrace.live.pieces import Piece
from tailrace.live.tail import Cursor, End, Gap
from tailrace.live.watcher import CATCHING_UP_BYTES, FOLLOWING_BYTES, Outlet, Watcher

BEAT = b":\n\n"

MOST_HEARD = 64 * 1024
"""A client has nothing to say; one that says so much is not listened to."""

_log = structlog.get_logger("sse")


class SseWatcher(Watcher):
    """Sends one log from a cursor on, to its end. One that `opens` with a gap is told so first."""

    __slots__ = ("_cursor", "_fetching", "_form", "_heard", "_hub", "_opening")

    def __init__(self, hub: LogHub, client: Client, form: Callable[[Piece], bytes] = Piece.sse) -> None:
        super().__init__(client)
        self._hub = hub
        self._form = form
        self._cursor: Cursor | None = None
        self._opening: Gap | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._heard = 0

    async def watch(
        self,
        log: int,
        *,
        start: int,
        lines: int | None = None,
        at: int | None = None,
        whole: bool = False,
    ) -> Cursor:
        """Take a place in the log before the answer begins. Raises as `LogHub.watch` does."""
        cursor = await self._hub.watch(log, self.pump, start=start, lines=lines, at=at, skips=not whole)
        self._cursor = cursor
        if (lines is not None or at is not None) and cursor.offset > 0:
            self._opening = Gap(0, cursor.offset)
        return cursor

    def pump(self) -> None:
        outlet, cursor = self._outlet, self._cursor
        if outlet is None or cursor is None or self._fetching is not None:
            return
        if self._opening is not None:
            outlet.write(gap_event(self._opening))
            self._opening = None
        while not self._paused:
            item = cursor.take()
            if item is None and cursor.behind:
                item = self._hub.fetch_now(cursor)
                if item is None:
                    outlet.set_write_buffer_limits(CATCHING_UP_BYTES)
                    self._fetching = asyncio.create_task(self._fetch(outlet, cursor))
                    return
            match item:
                case Piece():
                    outlet.write(self._form(item))
                case Gap():
                    outlet.write(gap_event(item))
                case End():
                    outlet.write(end_event(item))
                    self.stop()
                    outlet.close()
                    return
                case None:
                    outlet.set_write_buffer_limits(FOLLOWING_BYTES)
                    cursor.follow(outlet, self._form)
                    return

    def stop(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            self._hub.leave(cursor)
        if self._fetching is not None:
            self._fetching.cancel()
            self._fetching = None
        self._closing = True
        if self._outlet is None:
            self._hub.connections.leave(self)

    def pause_writing(self) -> None:
        if self._cursor is not None:
            self._cursor.pause()
        super().pause_writing()

    def data_received(self, data: bytes) -> None:
        self._heard += len(data)
        if self._heard > MOST_HEARD and self._outlet is not None:
            self._outlet.abort()

    def _say_goodbye(self, outlet: Outlet) -> None:
        outlet.write(retry_event(retry_ms()))
        self.stop()
        outlet.close()

    def _say_beat(self, outlet: Outlet) -> None:
        outlet.write(BEAT)

    async def _fetch(self, outlet: Outlet, cursor: Cursor) -> None:
        """Read on from the store; the task ends with it."""
        try:
            piece = await self._hub.fetch(cursor)
        except (OSError, NotFound) as error:
            self._fetching = None
            _log.error("a log cannot be read on", log=cursor.tail.log, error=str(error))
            self._say_goodbye(outlet)
            return
        self._fetching = None
        outlet.write(self._form(piece))
        self.pump()


def gap_event(gap: Gap) -> bytes:
    """Bytes that are not sent; one who resumes after it resumes behind them."""
    return b'id: %d\nevent: gap\ndata: {"from":%d,"to":%d}\n\n' % (gap.stop, gap.start, gap.stop)


def end_event(end: End) -> bytes:
    """The log has ended."""
    return b"id: %d\nevent: end\ndata: %b\n\n" % (end.size, orjson.dumps(end._asdict()))


def retry_event(ms: int) -> bytes:
    """When to come back."""
    return b"retry: %d\n\n" % ms
