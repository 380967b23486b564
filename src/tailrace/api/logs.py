"""Logs as they are: raw bytes, and their spans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from tailrace.api.conditions import cache_control, is_held, range_holds, tag_of
from tailrace.api.flow import Flow
from tailrace.api.log_stretch import Unsatisfiable, find_stretch, range_of, read_streams, stretch_wish
from tailrace.api.numbers import RowId, number_in
from tailrace.api.rendering import renders_lines
from tailrace.domain.errors import Invalid, NotFound
from tailrace.domain.settled import Settler
from tailrace.domain.spans import STREAMS_BY_WORD, Span, Stream
from tailrace.domain.states import LogState
from tailrace.live.hub import Describe, LogView
from tailrace.logs.base import LogReader

READ_BYTES = 256 * 1024
MOST_SPANS = 10_000


def parameter(name: str, description: str, kind: str = "integer", place: str = "query") -> dict[str, Any]:
    """A parameter in OpenAPI's words."""
    return {
        "name": name,
        "in": place,
        "required": False,
        "description": description,
        "schema": {"type": kind},
    }


_FROM = parameter("from", "First byte.")
_TO = parameter("to", "The byte after the last.")
STREAM = parameter(
    "stream", "Only what these streams wrote, joined: stdout, stderr, system; commas between.", "string"
)


def logs_router(logs: LogReader, describe: Describe) -> APIRouter:
    """Raw reads of logs and of their spans."""
    router = APIRouter(tags=["logs"])
    reader = _Reader(logs, describe)

    raw_docs: dict[str, Any] = {
        "parameters": [
            _FROM,
            _TO,
            parameter("lines", "Lines a-b, both included and counted from 1; a- to the end.", "string"),
            parameter("tail", "The last so many lines."),
            parameter(
                "at", "From the first span on that is not older: ISO 8601, or ms since 1970.", "string"
            ),
            parameter("until", "Up to the first span that is not older.", "string"),
            STREAM,
            parameter("render", "lines: lines as they settled, as a terminal would show them.", "string"),
            parameter("download", "1: as a file to save."),
            parameter(
                "Range", "One range of bytes; heeded when no other parameter selects.", "string", "header"
            ),
            parameter("If-None-Match", "304 when the log is still as this ETag says.", "string", "header"),
            parameter(
                "If-Range", "The Range is heeded only when the log is as this ETag says.", "string", "header"
            ),
        ]
    }

    async def read_log(log: RowId, request: Request) -> Response:
        """The log's bytes, with its size (X-Log-Size) and state (X-Log-State), and where in it they begin (X-Log-Offset)."""
        return await reader.raw(log, request)

    # One description for both methods would give them one operation id.
    router.add_api_route(
        "/api/logs/{log}", read_log, methods=["GET"], response_class=Response, openapi_extra=raw_docs
    )
    router.add_api_route("/api/logs/{log}", read_log, methods=["HEAD"], include_in_schema=False)

    @router.get(
        "/api/logs/{log}/spans",
        openapi_extra={
            "parameters": [_FROM, _TO, parameter("limit", f"At most so many spans, and {MOST_SPANS}.")]
        },
    )
    async def read_spans(log: RowId, request: Request) -> Response:
        """`items` are `[offset, time in ms, stream, step]`; `next` is the `from` of the next page, or null."""
        return await reader.spans(log, request)

    return router


async def view_of(describe: Describe, log: int) -> LogView:
    """The log's state, and its size as it is now; raises NotFound, also for a log that was removed."""
    view = await describe(log)
    if view is None or view.state == LogState.REMOVED:
        raise NotFound("log", log)
    return view


def streams_in(text: str | None) -> frozenset[Stream] | None:
    """The streams that the parameter names; None when it is not there. Raises Invalid."""
    if text is None:
        return None
    words = text.split(",")
    unknown = [word for word in words if word not in STREAMS_BY_WORD]
    if unknown:
        raise Invalid(f"stream: {unknown[0][:40]!r} is unknown; allowed are {', '.join(STREAMS_BY_WORD)}")
    return frozenset(STREAMS_BY_WORD[word] for word in words)


class _Reader:
    def __init__(self, logs: LogReader, describe: Describe) -> None:
        self._logs = logs
        self._describe = describe

    async def raw(self, log: int, request: Request) -> Response:
        view = await view_of(self._describe, log)
        query, size, tag = request.query_params, view.size, tag_of(log, view)
        headers = {
            "x-log-size": str(size),
            "x-log-state": view.state,
            "etag": tag,
            "cache-control": cache_control(view),
        }
        wish, streams = stretch_wish(query), streams_in(query.get("stream"))
        settled = renders_lines(query)
        download = number_in(query, "download", 1)
        if is_held(request.headers, tag):
            return Response(status_code=304, headers=headers)
        headers["x-content-type-options"] = "nosniff"
        headers["content-type"] = "text/plain; charset=utf-8"
        if download:
            headers["content-disposition"] = f'attachment; filename="log-{log}.txt"'
        start, stop = await asyncio.to_thread(find_stretch, self._logs, log, size, wish)
        status = 200
        if streams is None and not settled:
            headers["accept-ranges"] = "bytes"
            asked = None if wish.chosen else request.headers.get("range")
            if asked is not None and range_holds(request.headers, tag):
                try:
                    found = range_of(asked, size)
                except Unsatisfiable:
                    return Response(status_code=416, headers={**headers, "content-range": f"bytes */{size}"})
                if found is not None:
                    start, stop = found
                    status = 206
                    headers["content-range"] = f"bytes {start}-{stop - 1}/{size}"
            headers["content-length"] = str(stop - start)
        headers["x-log-offset"] = str(start)
        stretch = _Stretch(self._logs, log, start, stop, streams)
        return Flow(stretch.settled if settled else stretch.blocks, status, headers)

    async def spans(self, log: int, request: Request) -> Response:
        view = await view_of(self._describe, log)
        wish = stretch_wish(
            {key: request.query_params[key] for key in ("from", "to") if key in request.query_params}
        )
        start, stop = await asyncio.to_thread(find_stretch, self._logs, log, view.size, wish)
        limit = number_in(request.query_params, "limit", MOST_SPANS)
        if limit == 0:
            raise Invalid(f"limit: 0 is not a whole number from 1 to {MOST_SPANS}")
        limit = MOST_SPANS if limit is None else limit
        spans = await asyncio.to_thread(self._spans, log, start, stop, limit + 1)
        following = spans[limit].offset if len(spans) > limit else None
        items = [(span.offset, span.time, span.stream.word, span.step) for span in spans[:limit]]
        body = orjson.dumps({"items": items, "size": view.size, "next": following})
        return Response(body, media_type="application/json")

    def _spans(self, log: int, start: int, stop: int, limit: int) -> list[Span]:
        return self._logs.spans(log, start, stop, limit) if start < stop else []


class _Stretch:
    """A stretch of a log, read in threads."""

    def __init__(
        self, logs: LogReader, log: int, start: int, stop: int, streams: frozenset[Stream] | None
    ) -> None:
        self._logs = logs
        self._log = log
        self._start = start
        self._stop = stop
        self._streams = streams

    async def blocks(self) -> AsyncGenerator[bytes]:
        start = self._start
        while start < self._stop:
            # Borders where frames of segments have theirs: none is decompressed twice.
            stop = min((start // READ_BYTES + 1) * READ_BYTES, self._stop)
            block = await asyncio.to_thread(read_streams, self._logs, self._log, start, stop, self._streams)
            if block:
                yield block
            start = stop

    async def settled(self) -> AsyncGenerator[bytes]:
        settler = Settler(self._start)
        async with aclosing(self.blocks()) as blocks:
            async for block in blocks:
                text = await asyncio.to_thread(settler.feed, block)
                if text:
                    yield text
        yield settler.close()
