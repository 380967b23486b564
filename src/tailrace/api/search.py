"""Searching: one log, or the logs of many runs; what is found goes out as it is found, a JSON object a line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, NamedTuple

import orjson
import structlog
from fastapi import APIRouter, Query, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tailrace.api.hangup import Hangup
from tailrace.api.logs import STREAM, parameter, streams_in, view_of
from tailrace.api.numbers import RowId, number_in
from tailrace.api.problems import problem
from tailrace.api.runs import run_state
from tailrace.api.times import moment_in
from tailrace.domain.errors import Invalid, NotFound
from tailrace.live.hub import Describe
from tailrace.logs.base import LogReader, end_of
from tailrace.logs.search import LogSearch, SearchClosed, Searched, Stretch
from tailrace.logs.search_block import LogHit, SearchWish
from tailrace.logs.search_pattern import SearchPattern
from tailrace.store import Store
from tailrace.store.log_lists import ListedLog, LogFilter, RunBounds, list_logs, run_bounds

HITS = 1000
MOST_HITS = 100_000
MOST_AT_ONCE = 32
"""Searches that one server does at once: each holds some MiB."""

PROGRESS_S = 1.0
RUNS_A_PAGE = 50

_log = structlog.get_logger("search")


class _Plea(NamedTuple):
    """What both routes are asked: what to look for, and how many hits to give."""

    wish: SearchWish
    limit: int

    @classmethod
    def of(cls, query: QueryParams) -> _Plea:
        """Raises Invalid."""
        if "q" not in query:
            raise Invalid("q: it is missing; give the text to search for")
        pattern = SearchPattern(
            query["q"],
            regex=number_in(query, "regex", 1) == 1,
            case=number_in(query, "case", 1) == 1,
        )
        limit = _count(query, "limit", HITS)
        most = min(limit, _count(query, "per_log", limit))
        return cls(SearchWish(pattern, streams_in(query.get("stream")), most), limit)


_DOCS = [
    {**parameter("q", "What to search for, within one line.", "string"), "required": True},
    parameter("regex", "1: q is a regular expression of RE2."),
    parameter("case", "1: tell upper from lower case."),
    parameter("limit", f"At most so many hits: {HITS} if not given, {MOST_HITS} at most."),
    {
        **STREAM,
        "description": "Only matches in what these streams wrote: stdout, stderr, system; commas between.",
    },
]
_NDJSON: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-ndjson": {}}, "description": "One JSON object a line."}
}


def search_router(logs: LogReader, describe: Describe, store: Store, search: LogSearch) -> APIRouter:
    """Routes that search."""
    router = APIRouter(tags=["search"])
    room = asyncio.Semaphore(MOST_AT_ONCE)

    @router.get(
        "/api/logs/{log}/search",
        response_class=Response,
        responses=_NDJSON,
        openapi_extra={"parameters": [*_DOCS, parameter("from", "The first byte that is searched.")]},
    )
    async def search_log(log: RowId, request: Request) -> Response:
        """The matching lines, in the order of the log, then `end`; a log that grows is searched up to its present end."""
        view = await view_of(describe, log)
        plea = _Plea.of(request.query_params)
        start = min(number_in(request.query_params, "from") or 0, view.size)

        async def one() -> AsyncGenerator[Stretch]:
            yield Stretch(log, start, view.size)

        return _Found(search, plea, one(), None, room)

    @router.get(
        "/api/search",
        response_class=Response,
        responses=_NDJSON,
        openapi_extra={
            "parameters": [
                *_DOCS,
                parameter("per_log", "At most so many hits of each log."),
                parameter("since", "Only runs created then or later: ISO 8601, or ms since 1970.", "string"),
                parameter("until", "Only runs created before then.", "string"),
            ]
        },
    )
    async def search_runs(
        request: Request,
        project: Annotated[RowId | None, Query()] = None,
        plan: Annotated[RowId | None, Query()] = None,
        branch: Annotated[str | None, Query()] = None,
        state: Annotated[str | None, Query()] = None,
    ) -> Response:
        """The matching lines of all logs of the runs that the filter lets through, newest run first, then `end`."""
        query = request.query_params
        wanted = LogFilter(
            project,
            plan,
            branch or None,
            run_state(state),
            moment_in(query, "since"),
            moment_in(query, "until"),
        )
        plea = _Plea.of(query)
        listed: dict[int, ListedLog] = {}
        return _Found(search, plea, _stretches(store, logs, wanted, listed), listed, room)

    return router


async def _stretches(
    store: Store, logs: LogReader, wanted: LogFilter, listed: dict[int, ListedLog]
) -> AsyncGenerator[Stretch]:
    """All logs that the filter lets through, page by page; each is in `listed` when it comes."""
    bounds: RunBounds | None = await store.read(run_bounds, wanted)
    while bounds is not None:
        page, bounds = await store.read(list_logs, wanted, bounds, RUNS_A_PAGE)
        sizes = await asyncio.to_thread(_sizes, logs, page)
        for log, size in zip(page, sizes, strict=True):
            if size:
                listed[log.id] = log
                yield Stretch(log.id, 0, size)


def _sizes(logs: LogReader, page: list[ListedLog]) -> list[int]:
    return [end_of(logs, log.id) if log.size is None else log.size for log in page]


class _Found(Response):
    """The records of one search. Where `listed` is given, hits name their run and job, and other logs go on when one fails."""

    def __init__(
        self,
        search: LogSearch,
        plea: _Plea,
        stretches: AsyncGenerator[Stretch],
        listed: dict[int, ListedLog] | None,
        room: asyncio.Semaphore,
    ) -> None:
        super().__init__(
            media_type="application/x-ndjson",
            headers={"cache-control": "no-store, no-transform", "x-accel-buffering": "no"},
        )
        del self.headers["content-length"]
        self._search = search
        self._plea = plea
        self._stretches = stretches
        self._listed = listed
        self._room = room
        self._hits = 0
        self._bytes = 0
        self._logs = 0
        self._next: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._room.locked():
            busy = problem(
                503,
                f"{MOST_AT_ONCE} searches are under way: try again in a few seconds",
                headers={"retry-after": "5"},
            )
            await busy(scope, receive, send)
            return
        async with self._room:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with Hangup(receive) as hangup, aclosing(self._records()) as records:
                async for record in records:
                    if record:
                        await send({"type": "http.response.body", "body": record, "more_body": True})
                    if hangup.gone:
                        return
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _records(self) -> AsyncGenerator[bytes]:
        """What is to be sent, after each block; nothing where there is nothing to say."""
        clock = asyncio.get_running_loop().time
        spoken = clock()
        try:
            async with aclosing(self._search.search(self._plea.wish, self._stretches)) as going:
                async for said in going:
                    records = self._take(said)
                    if not records and clock() - spoken >= PROGRESS_S:
                        records = [{"progress": {"logs": self._logs, "searched": self._bytes}}]
                    if records:
                        spoken = clock()
                    yield _lines(records)
                    if self._hits >= self._plea.limit:
                        break
        except _Broken as broken:
            yield _lines([{"error": {"status": broken.status, "detail": str(broken)}}])
        except SearchClosed:
            why = "the server goes away: search again in a few seconds"
            yield _lines([{"error": {"status": 503, "detail": why}}])
        except Exception as error:  # the status is sent: there is no other way to say it
            _log.exception("a search broke off")
            yield _lines([{"error": {"status": 500, "detail": f"the search broke off: {error}"}}])
        else:
            yield _lines([{"end": self._end()}])

    def _take(self, said: Searched) -> list[dict[str, Any]]:
        """The records for what the search says."""
        self._bytes += said.bytes
        self._logs += said.done
        stretch = said.stretch
        if stretch is None:
            return []
        hits = said.hits[: self._plea.limit - self._hits]
        self._hits += len(hits)
        if hits:
            self._next = hits[-1].next if hits[-1].next < stretch.stop else None
        listed = None if self._listed is None else self._listed[stretch.log]
        records = [{**_source(listed), **_hit(hit)} for hit in hits]
        if said.fault is not None:
            why = f"log {stretch.log} cannot be read on: {said.fault}"
            if listed is None:
                status = 404 if isinstance(said.fault, NotFound) else 503
                raise _Broken(why, status)
            records.append({**_source(listed), "unreadable": why})
        if said.done and self._listed is not None:
            del self._listed[stretch.log]
        return records

    def _end(self) -> dict[str, Any]:
        end = {"hits": self._hits, "searched": self._bytes}
        if self._listed is not None:
            return {**end, "limited": self._hits >= self._plea.limit, "logs": self._logs}
        limited = self._hits >= self._plea.limit and self._next is not None
        return {**end, "limited": limited, "next": self._next if limited else None}


class _Broken(Exception):
    """The search cannot go on."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.status = status


def _lines(records: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)


def _source(listed: ListedLog | None) -> dict[str, Any]:
    if listed is None:
        return {}
    run = {
        "id": listed.run_id,
        "number": listed.run_number,
        "plan_name": listed.plan_name,
        "project_name": listed.project_name,
    }
    return {"run": run, "job": listed.job, "attempt": listed.attempt, "log": listed.id}


def _hit(hit: LogHit) -> dict[str, Any]:
    span = hit.span
    return {
        "line": hit.line,
        "offset": hit.offset,
        "text": hit.text,
        "ranges": hit.ranges,
        "time": None if span is None else span.time,
        "stream": None if span is None else span.stream.word,
        "step": None if span is None else span.step,
    }


def _count(query: QueryParams, name: str, default: int) -> int:
    count = number_in(query, name, MOST_HITS)
    if count == 0:
        raise Invalid(f"{name}: 0 is not a whole number from 1 to {MOST_HITS}")
    return default if count is None else count
