"""A log's settled lines as server-sent events."""

from __future__ import annotations

import asyncio

import orjson
import structlog
from starlette.types import Message, Receive, Send

from tailrace.api.hangup import Hangup
from tailrace.domain.errors import NotFound
from tailrace.domain.settled import Settler
from tailrace.live.connections import Client, retry_ms
from tailrace.live.hub import LogHub
from tailrace.live.pieces import Piece
from tailrace.live.signal import Signal
from tailrace.live.tail import Cursor, End
from tailrace.live.watcher_sse import BEAT, end_event, retry_event

QUIET_S = 0.25
"""After so long without output, whole rows that something might still rewrite are sent as they are."""

_log = structlog.get_logger("sse")


class SettledStream:
    """One response. What has settled depends on where its client began, so nothing of it is shared with others; a slow
    reader holds up `send`, and then reads from the log store. It is never skipped forward."""

    def __init__(self, hub: LogHub, client: Client) -> None:
        self.client = client
        self._hub = hub
        self._signal = Signal()
        self._beat_due = False
        self._closing = False
        self._abandoned = False
        self._task: asyncio.Task[None] | None = None

    def beat(self) -> None:
        self._beat_due = True
        self._signal.set()

    def close(self) -> None:
        self._closing = True
        self._signal.set()

    def abandon(self) -> None:
        self._abandoned = True
        if self._task is not None:
            self._task.cancel()

    async def watch(self, log: int, *, start: int, lines: int | None, at: int | None) -> Cursor:
        """A place in the log; raises as `LogHub.watch` does."""
        return await self._hub.watch(log, self._signal.set, start=start, lines=lines, at=at)

    async def run(self, cursor: Cursor, receive: Receive, send: Send) -> None:
        """Send what settles until the log ends, the client goes, or the server does. The head was sent."""
        self._task = asyncio.current_task()
        try:
            async with Hangup(receive, self._signal.set) as hangup:
                await self._stream(cursor, hangup, send)
        except asyncio.CancelledError:
            if not self._abandoned:
                raise

    async def _stream(self, cursor: Cursor, hangup: Hangup, send: Send) -> None:
        settler = Settler(cursor.offset)
        clock = asyncio.get_running_loop().time
        quiet_at: float | None = None  # when rows are sent that wait
        last = 0, 0
        while not hangup.gone:
            if self._closing:
                await send(_body(retry_event(retry_ms()), more=False))
                return
            item = cursor.take()
            if item is None and cursor.behind:
                try:
                    item = await self._hub.fetch(cursor)
                except (OSError, NotFound) as error:
                    _log.error("a log cannot be read on", log=cursor.tail.log, error=str(error))
                    await send(_body(retry_event(retry_ms()), more=False))
                    return
            match item:
                case Piece():
                    last = item.spans[-1].time, item.spans[-1].step
                    start = settler.settled
                    text = await asyncio.to_thread(settler.feed, item.data)
                    await self._send(send, start, settler, last, text)
                    quiet_at = clock() + QUIET_S
                case End():
                    start = settler.settled
                    await self._send(send, start, settler, last, settler.close())
                    await send(_body(end_event(item), more=False))
                    return
                case _ if self._beat_due:
                    self._beat_due = False
                    await send(_body(BEAT))
                case _ if quiet_at is None:
                    await self._signal.wait()
                case _:
                    try:
                        async with asyncio.timeout(quiet_at - clock()):
                            await self._signal.wait()
                    except TimeoutError:
                        quiet_at = None
                        start = settler.settled
                        await self._send(send, start, settler, last, settler.release())

    async def _send(
        self, send: Send, start: int, settler: Settler, last: tuple[int, int], text: bytes
    ) -> None:
        if not text:
            return
        time, step = last
        data = {"offset": start, "time": time, "step": step, "text": text.decode("utf-8", "replace")}
        await send(_body(b"id: %d\nevent: chunk\ndata: %b\n\n" % (settler.settled, orjson.dumps(data))))


def _body(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
