"""A server with logs and watchers only: a real uvicorn on a loopback port, in the test's own event loop."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp
from websockets.asyncio.client import ClientConnection, connect

from tailrace.api.detach import DetachableHttp, DetachableWebSocket
from tailrace.api.logs import logs_router
from tailrace.api.problems import handle_problems
from tailrace.api.watch_live import live_router
from tailrace.api.watch_sse import sse_router
from tailrace.domain.errors import LogRemoved
from tailrace.domain.spans import Span, Stream
from tailrace.live.bus_memory import MemoryBus
from tailrace.live.connections import Connections
from tailrace.live.hub import LogHub, LogView
from tailrace.live.topics import TopicHub
from tailrace.logs.base import end_of
from tailrace.logs.tail_file import FileLogStore

BACKSTOP_S = 60

OpenHouse = Callable[..., AbstractAsyncContextManager["LiveHouse"]]
"""`live_house` in a folder of the test, with or without detached transports."""


class CountedReads(FileLogStore):
    """Counts what is read, by (log, start)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reads: list[tuple[int, int]] = []
        self.most_read = 0

    def read(self, log: int, start: int, stop: int) -> bytes:
        self.reads.append((log, start))
        self.most_read = max(self.most_read, stop - start)
        return super().read(log, start, stop)


class LiveHouse:
    """Logs that the test appends to, and the server over which they are watched."""

    def __init__(self, folder: Path, connections: Connections | None = None) -> None:
        self.logs = CountedReads(folder)
        self.ended: dict[int, LogView] = {}
        self.taken: dict[int, int] = {}  # logs that retention took: when, in ms since the epoch
        self.known: set[int] = set()
        self.bus = MemoryBus()
        self.rows: dict[str, dict[int, str]] = {"runs": {}, "agents": {}}
        self.loads: list[tuple[str, frozenset[int] | None]] = []
        self.hub = LogHub(self.logs, self.describe, connections, self.bus)
        self.topics = TopicHub(self.bus, self.load)
        self.port = 0
        self.server: uvicorn.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def describe(self, log: int) -> LogView | None:
        if log in self.taken:
            raise LogRemoved(log, self.taken[log], "older than 30 days")
        if log not in self.known:
            return None
        return self.ended.get(log) or LogView("open", end_of(self.logs, log))

    async def load(self, topic: str, changed: frozenset[int] | None) -> bytes | None:
        self.loads.append((topic, changed))
        rows = self.rows.get(topic)
        if rows is None:
            return None
        items = {id: value for id, value in rows.items() if changed is None or id in changed}
        return json.dumps({"topic": topic, "items": items}).encode()

    def create(self, log: int) -> None:
        self.known.add(log)
        self.logs.create(log)

    def append(self, log: int, data: bytes, spans: Sequence[Span] | None = None) -> int:
        """As ingest does; one span for the bytes unless they are given."""
        offset = self.logs.end(log)
        if spans is None:
            spans = [Span(offset, 1_000 + offset, Stream.STDOUT, 1)] if data else []
        end = self.logs.append(log, offset, spans, data)
        self.hub.grew(log, offset, spans, data)
        return end

    def end(self, log: int, state: str = "closed", crc32: int | None = None) -> None:
        size = self.logs.end(log)
        self.ended[log] = LogView(state, size, crc32)
        self.hub.ended(log, size, state)

    @asynccontextmanager
    async def stream(
        self, log: int, query: str = "", last_event_id: int | None = None
    ) -> AsyncGenerator[httpx2.Response]:
        headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
        async with (
            httpx2.AsyncClient(
                timeout=BACKSTOP_S, trust_env=False, verify=False
            ) as client,  # certificates take 25 ms
            client.stream("GET", f"{self.url}/api/logs/{log}/stream{query}", headers=headers) as response,
        ):
            yield response

    async def follow(self, log: int, query: str = "", last_event_id: int | None = None) -> list[Event]:
        """All events until the response ends."""
        async with self.stream(log, query, last_event_id) as response:
            assert response.status_code == 200, await response.aread()
            return [event async for event in events(response.aiter_bytes())]

    def live(self) -> connect:
        return connect(
            f"ws://127.0.0.1:{self.port}/api/live", compression=None, max_size=1024 * 1024, proxy=None
        )


class Event(NamedTuple):
    kind: str
    id: int | None
    data: dict[str, Any]


async def events(blocks: AsyncIterable[bytes]) -> AsyncGenerator[Event]:
    """Server-sent events; a `retry` hint is an event of that kind, and so is a comment."""
    buffer = b""
    async for block in blocks:
        buffer += block
        *whole, buffer = buffer.split(b"\n\n")
        for text in whole:
            if text.startswith(b":"):
                yield Event("comment", None, {})
                continue
            fields = dict(line.split(b": ", 1) for line in text.split(b"\n"))
            if b"retry" in fields:
                yield Event("retry", None, {"ms": int(fields[b"retry"])})
            else:
                yield Event(fields[b"event"].decode(), int(fields[b"id"]), json.loads(fields[b"data"]))
    assert buffer == b""


def text_of(found: Sequence[Event]) -> str:
    """The text of the chunks; checks that each begins where the one before it ended."""
    parts: list[str] = []
    previous: Event | None = None
    for event in found:
        if event.kind != "chunk":
            continue
        if previous is not None:
            assert event.data["offset"] == previous.id
        previous = event
        parts.append(event.data["text"])
    return "".join(parts)


async def say(connection: ClientConnection, **message: Any) -> None:
    await connection.send(json.dumps({key.rstrip("_"): value for key, value in message.items()}))


async def hear(connection: ClientConnection) -> dict[str, Any]:
    return json.loads(await asyncio.wait_for(connection.recv(), BACKSTOP_S))


class LiveText:
    """What a client of `/api/live` makes of the frames of one log."""

    def __init__(self, log: int, next: int = 0) -> None:
        self.topic = f"log/{log}"
        self.next = next
        self.parts: list[str] = []
        self.gaps: list[tuple[int, int]] = []
        self.end: dict[str, Any] | None = None

    def take(self, frame: dict[str, Any]) -> None:
        assert frame["topic"] == self.topic
        if "chunk" in frame:
            chunk = frame["chunk"]
            assert chunk["offset"] == self.next
            assert chunk["spans"][0][0] == chunk["offset"]
            self.next = chunk["next"]
            self.parts.append(chunk["text"])
        elif "gap" in frame:
            assert frame["gap"]["from"] == self.next
            self.next = frame["gap"]["to"]
            self.gaps.append((frame["gap"]["from"], frame["gap"]["to"]))
        else:
            self.end = frame["end"]

    @property
    def text(self) -> str:
        return "".join(self.parts)

    async def until_end(self, connection: ClientConnection) -> LiveText:
        while self.end is None:
            frame = await hear(connection)
            if frame.get("topic") == self.topic:
                self.take(frame)
        return self


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for a condition in the event loop; `what` is said when it never comes."""
    for _ in range(int(BACKSTOP_S / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"waited {BACKSTOP_S} s in vain for {what}")


async def in_time(wanted: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(wanted, BACKSTOP_S)


@asynccontextmanager
async def live_house(
    folder: Path,
    *more: Callable[[LiveHouse], APIRouter],
    detached: bool = True,
    connections: Connections | None = None,
) -> AsyncGenerator[LiveHouse]:
    """A LiveHouse that answers, with `more` routes; `detached`: its watchers take their transports from the server."""
    house = LiveHouse(folder, connections)
    await house.bus.start()
    app = FastAPI()
    handle_problems(app)
    app.include_router(logs_router(house.logs, house.describe))
    app.include_router(sse_router(house.hub))
    app.include_router(live_router(house.hub, house.topics))
    for make in more:
        app.include_router(make(house))
    try:
        async with serving(app, detached=detached, house=house):
            yield house
    finally:
        await house.bus.close()
        house.logs.close()


@asynccontextmanager
async def serving(
    app: ASGIApp, *, detached: bool = True, house: LiveHouse | None = None
) -> AsyncGenerator[int]:
    """Serves the app, which may be that of a house, at the port that it gives."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(1024)
    port: int = listening.getsockname()[1]
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        http=DetachableHttp if detached else "httptools",
        ws=DetachableWebSocket if detached else "websockets-sansio",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    if house is not None:
        house.port, house.server = port, server
    running = asyncio.create_task(server.serve(sockets=[listening]))
    await until(lambda: server.started or running.done(), "the server")
    try:
        yield port
    finally:
        if house is not None:
            await house.hub.close()
            await house.topics.close()
        server.should_exit = True
        await running


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # they are the test runner's
