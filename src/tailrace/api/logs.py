"""Logs as they are: raw bytes, and their spans."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tailrace.api.hangup import Hangup
from tailrace.api.numbers import RowId, number_in
from tailrace.domain.errors import Invalid, NotFound
from tailrace.domain.spans import STREAMS_BY_WORD, Span, Stream
from tailrace.live.hub import Describe, LogView
from tailrace.logs.base import LogReader

READ_BYTES = 256 * 1024
MOST_LINES = 1_000_000
MOST_SPANS = 10_000

_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*\Z", re.ASCII)


def _parameter(name: str, description: str, kind: str = "integer", place: str = "query") -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": False,
        "description": description,
        "schema": {"type": kind},
    }


_FROM = _parameter("from", "First byte.")
_TO = _parameter("to", "The byte after the last.")


def logs_router(logs: LogReader, describe: Describe) -> APIRouter:
    """Raw reads of logs and of their spans."""
    router = APIRouter(tags=["logs"])
    reader = _Reading(logs, describe)

    raw_docs: dict[str, Any] = {
        "parameters": [
            _FROM,
            _TO,
            _parameter("tail", "The last so many lines."),
            _parameter(
                "stream",
                "Only what these streams wrote, joined: stdout, stderr, system; commas between.",
                "string",
            ),
            _parameter("download", "1: as a file to save."),
            _parameter(
                "Range", "One range of bytes; heeded when no other parameter selects.", "string", "header"
            ),
        ]
    }

    async def read_log(log: RowId, request: Request) -> Response:
        """The log's bytes, with its size (X-Log-Size) and state (X-Log-State)."""
        return await reader.raw(log, request)

    # One description for both methods would give them one operation id.
    router.add_api_route(
        "/api/logs/{log}", read_log, methods=["GET"], response_class=Response, openapi_extra=raw_docs
    )
    router.add_api_route("/api/logs/{log}", read_log, methods=["HEAD"], include_in_schema=False)

    @router.get(
        "/api/logs/{log}/spans",
        openapi_extra={
            "parameters": [_FROM, _TO, _parameter("limit", f"At most so many spans, and {MOST_SPANS}.")]
        },
    )
    async def read_spans(log: RowId, request: Request) -> Response:
        """`items` are `[offset, time in ms, stream, step]`; `next` is the `from` of the next page, or null."""
        return await reader.spans(log, request)

    return router


class _Reading:
    def __init__(self, logs: LogReader, describe: Describe) -> None:
        self._logs = logs
        self._describe = describe

    async def raw(self, log: int, request: Request) -> Response:
        view = await self._view(log)
        query = request.query_params
        headers = {
            "x-log-size": str(view.size),
            "x-log-state": view.state,
            "x-content-type-options": "nosniff",
            "content-type": "text/plain; charset=utf-8",
            "cache-control": "no-cache",
        }
        if number_in(query, "download", 1):
            headers["content-disposition"] = f'attachment; filename="log-{log}.txt"'
        streams = _streams(query.get("stream"))
        lines = number_in(query, "tail", MOST_LINES)
        if lines is not None:
            if "from" in query or "to" in query:
                raise Invalid("tail: not together with from or to; name the lines or the bytes")
            start, stop = await asyncio.to_thread(self._offset_of_tail, log, lines), view.size
        else:
            start, stop = _stretch(request, view.size)
        start = min(start, stop)
        status = 200
        if streams is None:
            headers["accept-ranges"] = "bytes"
            if "range" in request.headers and lines is None and "from" not in query and "to" not in query:
                try:
                    found = _range(request.headers["range"], view.size)
                except _Unsatisfiable:
                    return Response(
                        status_code=416, headers={**headers, "content-range": f"bytes */{view.size}"}
                    )
                if found is not None:
                    start, stop = found
                    status = 206
                    headers["content-range"] = f"bytes {start}-{stop - 1}/{view.size}"
            headers["content-length"] = str(stop - start)
        return _Bytes(self._logs, log, start, stop, streams, status, headers)

    async def spans(self, log: int, request: Request) -> Response:
        view = await self._view(log)
        start, stop = _stretch(request, view.size)
        limit = number_in(request.query_params, "limit", MOST_SPANS)
        if limit == 0:
            raise Invalid(f"limit: 0 is not a whole number from 1 to {MOST_SPANS}")
        limit = MOST_SPANS if limit is None else limit
        spans = await asyncio.to_thread(self._spans, log, start, stop, limit + 1)
        following = spans[limit].offset if len(spans) > limit else None
        items = [(span.offset, span.time, span.stream.word, span.step) for span in spans[:limit]]
        body = orjson.dumps({"items": items, "size": view.size, "next": following})
        return Response(body, media_type="application/json")

    async def _view(self, log: int) -> LogView:
        """The log's state, and its size as it is now."""
        view = await self._describe(log)
        if view is None:
            raise NotFound("log", log)
        return view

    def _offset_of_tail(self, log: int, lines: int) -> int:
        try:
            return self._logs.offset_of_tail(log, lines)
        except NotFound:  # its writer has not begun
            return 0

    def _spans(self, log: int, start: int, stop: int, limit: int) -> list[Span]:
        return self._logs.spans(log, start, stop, limit) if start < stop else []


class _Bytes(Response):
    """A stretch of a log, read in threads as fast as the client takes it."""

    def __init__(
        self,
        logs: LogReader,
        log: int,
        start: int,
        stop: int,
        streams: frozenset[Stream] | None,
        status: int,
        headers: dict[str, str],
    ) -> None:
        self._logs = logs
        self._log = log
        self._start = start
        self._stop = stop
        self._streams = streams
        self.status_code = status
        self.background = None
        self.raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(start)
        else:
            async with Hangup(receive) as hangup, aclosing(self._blocks()) as blocks:
                block = await anext(
                    blocks, b""
                )  # what cannot be read at all is a problem, not a broken answer
                await send(start)
                while block and not hangup.gone:
                    await send({"type": "http.response.body", "body": block, "more_body": True})
                    block = await anext(blocks, b"")
                if hangup.gone:
                    return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _blocks(self) -> AsyncGenerator[bytes]:
        for start in range(self._start, self._stop, READ_BYTES):
            stop = min(start + READ_BYTES, self._stop)
            block = await asyncio.to_thread(self._read, start, stop)
            if block:
                yield block

    def _read(self, start: int, stop: int) -> bytes:
        data = self._logs.read(self._log, start, stop)
        streams = self._streams
        if streams is None:
            return data
        spans = self._logs.spans(self._log, start, stop)
        stops = [span.offset for span in spans[1:]] + [stop]
        return b"".join(
            data[span.offset - start : end - start]
            for span, end in zip(spans, stops, strict=True)
            if span.stream in streams
        )


class _Unsatisfiable(Exception):
    """A Range that the log does not have."""


def _stretch(request: Request, size: int) -> tuple[int, int]:
    query = request.query_params
    start, stop = number_in(query, "from"), number_in(query, "to")
    if start is not None and stop is not None and start > stop:
        raise Invalid(f"from: {start} is behind to: {stop}")
    return start or 0, size if stop is None else min(stop, size)


def _range(header: str, size: int) -> tuple[int, int] | None:
    """The stretch that a Range header names; None for a header that is to be ignored (several ranges, other units).

    Raises _Unsatisfiable.
    """
    match = _RANGE.match(header)
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        length = int(match[2])
        if not length or not size:
            raise _Unsatisfiable
        return max(size - length, 0), size
    start = int(match[1])
    stop = int(match[2]) + 1 if match[2] else size
    if stop <= start and match[2]:
        return None
    if start >= size:
        raise _Unsatisfiable
    return start, min(stop, size)


def _streams(text: str | None) -> frozenset[Stream] | None:
    if text is None:
        return None
    words = text.split(",")
    unknown = [word for word in words if word not in STREAMS_BY_WORD]
    if unknown:
        raise Invalid(f"stream: {unknown[0][:40]!r} is unknown; allowed are {', '.join(STREAMS_BY_WORD)}")
    return frozenset(STREAMS_BY_WORD[word] for word in words)
