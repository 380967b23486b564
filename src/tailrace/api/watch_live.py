"""`/api/live`: one WebSocket that carries every list and log its client watches."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import orjson
import structlog
from fastapi import APIRouter
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from tailrace.api.watch_wishes import Unwatch, WatchLog, WatchTopic, read_wish
from tailrace.domain.errors import Invalid, NotFound
from tailrace.live.connections import retry_ms
from tailrace.live.hub import LogHub
from tailrace.live.pieces import Piece
from tailrace.live.signal import Signal
from tailrace.live.tail import Cursor, End, Gap
from tailrace.live.topics import Missing, TopicCursor, TopicHub

MOST_TOPICS = 256
"""On one connection."""

MOST_WORDS = 64
"""Answers that wait for a client that does not read; then it is not read from either."""

TRY_AGAIN_LATER = 1012

_log = structlog.get_logger("live")


def live_router(log_hub: LogHub, topic_hub: TopicHub) -> APIRouter:
    """`WS /api/live`."""
    router = APIRouter()
    router.routes.append(WebSocketRoute("/api/live", _Endpoint(log_hub, topic_hub), name="live"))
    return router


class _Endpoint:
    def __init__(self, logs: LogHub, topics: TopicHub) -> None:
        self._logs = logs
        self._topics = topics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _LiveConnection(self._logs, self._topics, receive, send).serve()


class _LiveConnection:
    """One client: the reader keeps its list of topics, the writer sends what their cursors give, in turn."""

    def __init__(self, logs: LogHub, topics: TopicHub, receive: Receive, send: Send) -> None:
        self._logs = logs
        self._topics = topics
        self._receive = receive
        self._send = send
        self._cursors: dict[str, Cursor | TopicCursor] = {}
        # Topics whose cursor may have something, in the order of their turns.
        self._ready: dict[str, None] = {}
        self._words: list[str] = []  # what concerns this client alone
        self._words_gone = asyncio.Event()
        self._signal = Signal()
        self._beat_due = False
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    def beat(self) -> None:
        self._beat_due = True
        self._signal.set()

    def close(self) -> None:
        self._closing = True
        self._signal.set()

    def abandon(self) -> None:
        if self._writer is not None:
            self._writer.cancel()

    async def serve(self) -> None:
        if (await self._receive())["type"] != "websocket.connect":
            return
        await self._send({"type": "websocket.accept"})
        self._writer = asyncio.create_task(self._write())
        reader = asyncio.create_task(self._read())
        leave = self._logs.connections.join(self)
        both = (self._writer, reader)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leave()
            for task in both:
                task.cancel()
            for topic in tuple(self._cursors):
                self._leave(topic)
            ends = await asyncio.gather(*both, return_exceptions=True)
        for end in ends:
            # An OSError is how servers say that the client has gone.
            if isinstance(end, Exception) and not isinstance(end, OSError):
                raise end

    async def _read(self) -> None:
        while (message := await self._receive())["type"] != "websocket.disconnect":
            text: str | bytes = message.get("text") or message.get("bytes") or b""
            try:
                wish = read_wish(text)
                match wish:
                    case WatchLog():
                        await self._watch_log(wish)
                    case WatchTopic():
                        self._watch_topic(wish)
                    case Unwatch():
                        self._leave(wish.topic)
            except NotFound as error:
                self._refuse(404, str(error), _topic_of(text))
            except Invalid as error:
                self._refuse(400, str(error), _topic_of(text))
            except OSError as error:
                _log.error("a log cannot be watched", error=str(error))
                self._refuse(500, "the log cannot be read now; the server's log says why", _topic_of(text))
            while len(self._words) >= MOST_WORDS:
                self._words_gone.clear()
                await self._words_gone.wait()

    async def _watch_log(self, wish: WatchLog) -> None:
        self._leave(wish.topic)
        self._check_room(wish.topic)
        cursor = await self._logs.watch(
            wish.log,
            lambda: self._wake(wish.topic),
            start=wish.start,
            lines=wish.lines,
            skips=not wish.whole,
        )
        self._cursors[wish.topic] = cursor
        if wish.lines is not None and cursor.offset > 0:
            self._say({"topic": wish.topic, "gap": {"from": 0, "to": cursor.offset}})
        self._wake(wish.topic)

    def _watch_topic(self, wish: WatchTopic) -> None:
        self._leave(wish.topic)
        self._check_room(wish.topic)
        self._cursors[wish.topic] = self._topics.watch(wish.topic, lambda: self._wake(wish.topic))

    def _check_room(self, topic: str) -> None:
        if len(self._cursors) >= MOST_TOPICS:
            raise Invalid(
                f"{topic}: {MOST_TOPICS} topics are watched on this connection; unwatch one, or open another"
            )

    def _leave(self, topic: str) -> None:
        cursor = self._cursors.pop(topic, None)
        self._ready.pop(topic, None)
        if isinstance(cursor, Cursor):
            self._logs.leave(cursor)
        elif cursor is not None:
            self._topics.leave(cursor)

    def _wake(self, topic: str) -> None:
        self._ready[topic] = None
        self._signal.set()

    def _say(self, word: dict[str, Any]) -> None:
        self._words.append(orjson.dumps(word).decode())
        self._signal.set()

    def _refuse(self, status: int, detail: str, topic: str | None) -> None:
        word: dict[str, Any] = {"error": {"status": status, "detail": detail}}
        self._say(word if topic is None else {"topic": topic, **word})

    async def _write(self) -> None:
        while True:
            if self._closing:
                await self._send_text(f'{{"retry":{retry_ms()}}}')
                await self._send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
                return
            if self._words:
                words, self._words = self._words, []
                self._words_gone.set()
                for word in words:
                    await self._send_text(word)
            elif self._ready:
                topic = next(iter(self._ready))
                del self._ready[topic]
                await self._write_next(topic)
            elif self._beat_due:
                self._beat_due = False
                await self._send_text('{"beat":1}')
            else:
                await self._signal.wait()

    async def _write_next(self, topic: str) -> None:
        """Send one frame of this topic; if there was one, it gets another turn after the others."""
        cursor = self._cursors.get(topic)
        if cursor is None:
            return
        if isinstance(cursor, TopicCursor):
            item = cursor.take()
            if isinstance(item, Missing):
                self._leave(topic)
                self._refuse(404, f"there is no {topic}", topic)
                return
        else:
            item = cursor.take()
            if item is None and cursor.behind:
                try:
                    item = await self._logs.fetch(cursor)
                except OSError as error:
                    _log.error("a log cannot be read on", log=cursor.tail.log, error=str(error))
                    self._leave(topic)
                    self._refuse(500, "the log cannot be read on; the server's log says why", topic)
                    return
                if self._cursors.get(topic) is not cursor:
                    return  # it was watched anew from elsewhere meanwhile
        if item is None:
            return
        self._ready[topic] = None
        match item:
            case str():
                text = item
            case Piece():
                text = item.live()
            case Gap():
                text = _frame(topic, "gap", {"from": item.start, "to": item.stop})
            case End():
                self._leave(topic)
                text = _frame(topic, "end", item._asdict())
        await self._send_text(text)

    async def _send_text(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})


def _frame(topic: str, name: str, value: object) -> str:
    return orjson.dumps({"topic": topic, name: value}).decode()


def _topic_of(text: str | bytes) -> str | None:
    """The topic that a refused message names, so that its sender can tell which one was refused."""
    try:
        topic = orjson.loads(text)["topic"]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return topic if isinstance(topic, str) and re.fullmatch(r"[a-z]+(/[0-9]+)?", topic[:64]) else None
