"""A log as server-sent events, for curl, scripts and dashboards."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import orjson
import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from tailrace.api.hangup import Hangup
from tailrace.api.numbers import LARGEST, number_in, whole_number
from tailrace.domain.errors import Invalid, NotFound
from tailrace.live.connections import retry_ms
from tailrace.live.hub import LogHub
from tailrace.live.pieces import Piece
from tailrace.live.signal import Signal
from tailrace.live.tail import Cursor, End

MOST_LINES = 1_000_000

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]

_log = structlog.get_logger("sse")


def sse_router(hub: LogHub) -> APIRouter:
    """`GET /api/logs/{log}/stream`.

    A plain ASGI route: a stream lives for hours, and FastAPI would keep what it made for the request for as long.
    """
    router = APIRouter()
    route = Route("/api/logs/{log:int}/stream", _Endpoint(hub), methods=["GET"], name="stream_log")
    router.routes.append(route)
    return router


class _Endpoint:
    def __init__(self, hub: LogHub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _SseStream(self._hub).respond(scope, receive, send)


class _Place(NamedTuple):
    """Where a stream begins. One who resumes may name a place that the log does not have: it lost its end with the
    power, and its writer sends those bytes again."""

    start: int
    lines: int | None
    resumed: int | None

    @classmethod
    def of(cls, request: Request) -> _Place:
        """Raises Invalid."""
        resumed = request.headers.get("last-event-id")
        if resumed:
            return cls(0, None, whole_number(resumed, "Last-Event-ID"))
        start = number_in(request.query_params, "from")
        lines = number_in(request.query_params, "tail", MOST_LINES)
        if start is not None and lines is not None:
            raise Invalid("from and tail: a log is followed from one place; name one of them")
        return cls(start or 0, lines, None)


class _SseStream:
    """One response. It is never skipped forward: a slow reader holds up `send`, and then reads from the log store."""

    def __init__(self, hub: LogHub) -> None:
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

    async def respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises NotFound and Invalid before anything is sent."""
        if scope["path_params"]["log"] > LARGEST:
            raise NotFound("log", scope["path_params"]["log"])
        request = Request(scope)
        log = scope["path_params"]["log"]
        place = _Place.of(request)
        self._task = asyncio.current_task()
        leave = self._hub.connections.join(self)
        try:
            cursor = await self._hub.watch(log, self._signal.set, start=place.start, lines=place.lines)
            try:
                if place.resumed is not None:
                    cursor.offset = place.resumed
                    ended = cursor.tail.ended
                    if ended is not None and cursor.offset >= ended.size:
                        await send({"type": "http.response.start", "status": 204, "headers": []})
                        await send(_body(b"", more=False))
                        return
                await self._stream(cursor, request.method, receive, send)
            finally:
                self._hub.leave(cursor)
        except asyncio.CancelledError:
            if not self._abandoned:
                raise
        finally:
            leave()

    async def _stream(self, cursor: Cursor, method: str, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if method == "HEAD":
            await send(_body(b"", more=False))
            return
        async with Hangup(receive, self._signal.set) as hangup:
            while not hangup.gone:
                if self._closing:
                    await send(_body(_retry(), more=False))
                    return
                item = cursor.take()
                if item is None and cursor.behind:
                    try:
                        item = await self._hub.fetch(cursor)
                    except OSError as error:
                        _log.error("a log cannot be read on", log=cursor.tail.log, error=str(error))
                        await send(_body(_retry(), more=False))
                        return
                if isinstance(item, Piece):
                    await send(_body(item.sse()))
                elif isinstance(item, End):
                    await send(_body(_end(item), more=False))
                    return
                elif self._beat_due:
                    self._beat_due = False
                    await send(_body(b":\n\n"))
                else:
                    await self._signal.wait()


def _body(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _end(end: End) -> bytes:
    return b"id: %d\nevent: end\ndata: %b\n\n" % (end.size, orjson.dumps(end._asdict()))


def _retry() -> bytes:
    return b"retry: %d\n\n" % retry_ms()
