"""A log as server-sent events, for curl, scripts and dashboards."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tailrace.api.auth import client_of
from tailrace.api.detach import DetachStream, way_out
from tailrace.api.hangup import Hangup
from tailrace.api.numbers import LARGEST, number_in, whole_number
from tailrace.api.outlet import AsgiOutlet, as_body
from tailrace.api.rendering import renders_lines
from tailrace.api.times import moment_in
from tailrace.api.watch_settled import SettledStream
from tailrace.api.watch_wishes import check_one_place
from tailrace.domain.errors import Crowded, NotFound
from tailrace.live.connections import crowded_ms
from tailrace.live.hub import LogHub
from tailrace.live.tail import Cursor
from tailrace.live.watcher_sse import SseWatcher, retry_event

MOST_LINES = 1_000_000

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]

_DOCS: dict[str, Any] = {
    "summary": "Follow Log",
    "description": "The log as server-sent events, from a place on and until its end.",
    "operationId": "follow_log",
    "tags": ["logs"],
    "parameters": [
        {"name": "log", "in": "path", "required": True, "schema": {"type": "integer"}},
        *(
            {"name": name, "in": place, "required": False, "description": words, "schema": {"type": kind}}
            for name, place, kind, words in (
                ("from", "query", "integer", "First byte."),
                ("tail", "query", "integer", "Begin with the last so many lines."),
                (
                    "at",
                    "query",
                    "string",
                    "Begin at the first span that is not older: ISO 8601, or ms since 1970.",
                ),
                ("render", "query", "string", "lines: lines as they settled, as a terminal would show them."),
                ("whole", "query", "integer", "1: a slow client is waited for, and never skipped forward."),
                ("Last-Event-ID", "header", "integer", "First byte; stronger than the others."),
            )
        ),
    ],
    "responses": {
        "200": {
            "description": "Events chunk, gap and end; only a `retry:` hint when there are too many watchers.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        "204": {"description": "The log has ended, and nothing comes after Last-Event-ID."},
    },
}


def sse_router(hub: LogHub) -> APIRouter:
    """`GET /api/logs/{log}/stream`.

    A plain ASGI route: a stream lives for hours, and FastAPI would keep what it made for the request for as long.
    """
    router = APIRouter()
    route = Route("/api/logs/{log:int}/stream", _Endpoint(hub), methods=["GET"], name="stream_log")
    router.routes.append(route)
    return router


def describe_sse(paths: dict[str, Any]) -> None:
    """Add the route to OpenAPI's paths, which FastAPI cannot."""
    paths["/api/logs/{log}/stream"] = {"get": _DOCS}


class _Place(NamedTuple):
    """Where a stream begins. One who resumes may name a place that the log does not have: it lost its end with the
    power, and its writer sends those bytes again."""

    start: int
    lines: int | None
    at: int | None
    resumed: int | None
    whole: bool
    settled: bool

    @classmethod
    def of(cls, request: Request) -> _Place:
        """Raises Invalid."""
        query = request.query_params
        whole, settled = bool(number_in(query, "whole", 1)), renders_lines(query)
        resumed = request.headers.get("last-event-id")
        if resumed:
            return cls(0, None, None, whole_number(resumed, "Last-Event-ID"), whole, settled)
        start, lines = number_in(query, "from"), number_in(query, "tail", MOST_LINES)
        at = moment_in(query, "at")
        check_one_place({"from": start, "tail": lines, "at": at})
        return cls(start or 0, lines, at, None, whole, settled)

    def nothing_left(self, cursor: Cursor) -> bool:
        """Move the cursor to where one resumes; whether the log has ended there."""
        if self.resumed is None:
            return False
        cursor.offset = self.resumed
        ended = cursor.tail.ended
        return ended is not None and cursor.offset >= ended.size


class _Endpoint:
    def __init__(self, hub: LogHub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises NotFound and Invalid before anything is sent."""
        log = scope["path_params"]["log"]
        if log > LARGEST:
            raise NotFound("log", log)
        request = Request(scope)
        place = _Place.of(request)
        if place.settled:
            await self._settled(log, place, request, scope, receive, send)
            return
        watcher = SseWatcher(self._hub, client_of(scope))
        try:
            self._hub.connections.join(watcher)
        except Crowded:
            # An error status would be for good: EventSource does not come back after one.
            await _answer(send, retry_event(crowded_ms()))
            return
        taken = False
        try:
            cursor = await watcher.watch(
                log, start=place.start, lines=place.lines, at=place.at, whole=place.whole
            )
            if place.nothing_left(cursor):
                await Response(status_code=204)(scope, receive, send)
                return
            if request.method == "HEAD":
                await _answer(send, b"")
                return
            detach: DetachStream | None = way_out(scope)
            if detach is None:
                await _stream(watcher, receive, send)
                return
            transport = detach(watcher, HEADERS)
            if transport is not None:
                taken = True
                watcher.start(transport)
        finally:
            if not taken:
                watcher.connection_lost(None)

    async def _settled(
        self, log: int, place: _Place, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        stream = SettledStream(self._hub, client_of(scope))
        try:
            self._hub.connections.join(stream)
        except Crowded:
            await _answer(send, retry_event(crowded_ms()))
            return
        try:
            cursor = await stream.watch(log, start=place.start, lines=place.lines, at=place.at)
            try:
                if place.nothing_left(cursor):
                    await Response(status_code=204)(scope, receive, send)
                elif request.method == "HEAD":
                    await _answer(send, b"")
                else:
                    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
                    await stream.run(cursor, receive, send)
            finally:
                self._hub.leave(cursor)
        finally:
            self._hub.connections.leave(stream)


async def _stream(watcher: SseWatcher, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    outlet = AsgiOutlet(watcher, send, as_body)
    async with Hangup(receive, outlet.abort):
        watcher.start(outlet)
        whole = await outlet.run()
    if whole:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _answer(send: Send, body: bytes) -> None:
    """All of it at once; also what a HEAD is answered."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": body, "more_body": False})
