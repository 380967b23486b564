"""One client of `/api/live`: what it watches, and in which turn each of them is told."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import Any

import orjson
import structlog

from tailrace.api.watch_wishes import Unwatch, WatchLog, WatchTopic, read_wish
from tailrace.domain.errors import Invalid, LogRemoved, NotFound
from tailrace.live.connections import Client, retry_ms
from tailrace.live.hub import LogHub
from tailrace.live.pieces import Piece
from tailrace.live.tail import Cursor, End, Gap
from tailrace.live.topics import Missing, TopicCursor, TopicHub
from tailrace.live.watcher import CATCHING_UP_BYTES, FOLLOWING_BYTES, Outlet, Watcher
from tailrace.live.websocket import CloseCode, close_frame, text_frame

MOST_TOPICS = 256
"""On one connection."""

MOST_WORDS = 64
"""Answers that wait for a client that does not read; then it is not read from either."""

_BEAT = text_frame(b'{"beat":1}')

_log = structlog.get_logger("live")


class LiveConnection(Watcher):
    """Keeps a client's list of topics and writes what their cursors give, in turn.

    A log that has been caught up with is written to the outlet by its tail; the others have turns here.
    """

    __slots__ = ("_behind", "_cursors", "_fetching", "_logs", "_ready", "_topics", "_words")

    def __init__(self, logs: LogHub, topics: TopicHub, client: Client) -> None:
        super().__init__(client)
        self._logs = logs
        self._topics = topics
        self._cursors: dict[str, Cursor | TopicCursor] = {}
        # Topics whose cursor may have something, in the order of their turns.
        self._ready: dict[str, None] = {}
        self._behind: dict[str, None] | None = None  # those that are to be read from the store next
        self._fetching: asyncio.Task[None] | None = None
        self._words: list[bytes] | None = (
            None  # what concerns this client alone, when it cannot be written at once
        )

    async def obey(self, text: str | bytes) -> None:
        """Do what a message asks for, or say what is wrong with it. To be called with one after the other."""
        if self._closing:
            return
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
            self._refuse(410 if isinstance(error, LogRemoved) else 404, str(error), _topic_of(text))
        except Invalid as error:
            self._refuse(400, str(error), _topic_of(text))
        except OSError as error:
            _log.error("a log cannot be watched", error=str(error))
            self._refuse(500, "the log cannot be read now; the server's log says why", _topic_of(text))

    def pump(self) -> None:
        outlet = self._outlet
        if outlet is None:
            return
        while not self._paused:
            if self._words:
                words, self._words = self._words, None
                for word in words:
                    outlet.write(word)
            elif self._ready:
                topic = next(iter(self._ready))
                del self._ready[topic]
                self._write_next(outlet, topic)
            else:
                if self._fetching is None:
                    outlet.set_write_buffer_limits(FOLLOWING_BYTES)
                break

    def stop(self) -> None:
        for topic in tuple(self._cursors):
            self._leave(topic)
        if self._fetching is not None:
            self._fetching.cancel()
            self._fetching = None
        self._words = None
        self._closing = True
        if self._outlet is None:
            self._logs.connections.leave(self)

    def pause_writing(self) -> None:
        for topic, cursor in self._cursors.items():
            if isinstance(cursor, Cursor) and cursor.pause():
                self._ready[topic] = None
        super().pause_writing()

    @property
    def full(self) -> bool:
        """Whether so much waits for the client that it should not be listened to."""
        return self._words is not None and len(self._words) >= MOST_WORDS

    def _say_goodbye(self, outlet: Outlet) -> None:
        outlet.write(text_frame(b'{"retry":%d}' % retry_ms()))
        self.stop()
        outlet.write(close_frame(CloseCode.TRY_AGAIN_LATER))

    def _say_beat(self, outlet: Outlet) -> None:
        outlet.write(_BEAT)

    async def _watch_log(self, wish: WatchLog) -> None:
        self._leave(wish.topic)
        self._check_room(wish.topic)
        cursor = await self._logs.watch(
            wish.log,
            partial(self._wake, wish.topic),
            start=wish.start,
            lines=wish.lines,
            at=wish.at,
            skips=not wish.whole,
        )
        if self._closing:
            self._logs.leave(cursor)
            return
        self._cursors[wish.topic] = cursor
        if (wish.lines is not None or wish.at is not None) and cursor.offset > 0:
            self._say(_frame(wish.topic, "gap", {"from": 0, "to": cursor.offset}))
        self._wake(wish.topic)

    def _watch_topic(self, wish: WatchTopic) -> None:
        self._leave(wish.topic)
        self._check_room(wish.topic)
        self._cursors[wish.topic] = self._topics.watch(wish.topic, partial(self._wake, wish.topic))

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
        self.pump()

    def _say(self, word: bytes) -> None:
        self._words = [*(self._words or ()), word]
        outlet = self._outlet
        if outlet is not None and outlet.get_write_buffer_size() > CATCHING_UP_BYTES:
            outlet.set_write_buffer_limits(
                CATCHING_UP_BYTES
            )  # frames of logs are shared; answers are its own
        self.pump()

    def _refuse(self, status: int, detail: str, topic: str | None) -> None:
        word: dict[str, Any] = {"error": {"status": status, "detail": detail}}
        self._say(text_frame(orjson.dumps(word if topic is None else {"topic": topic, **word})))

    def _write_next(self, outlet: Outlet, topic: str) -> None:
        """Write one frame of this topic; if there was one, it gets another turn after the others."""
        cursor = self._cursors.get(topic)
        if cursor is None:
            return
        item = cursor.take()
        if item is None and isinstance(cursor, Cursor):
            if not cursor.behind:
                cursor.follow(outlet, Piece.live)
                return
            item = self._logs.fetch_now(cursor)
            if item is None:
                self._fetch_later(topic)
        match item:
            case None:
                return
            case bytes():
                outlet.write(item)
            case Piece():
                outlet.write(item.live())
            case Gap():
                outlet.write(_frame(topic, "gap", {"from": item.start, "to": item.stop}))
            case End():
                self._leave(topic)
                outlet.write(_frame(topic, "end", item._asdict()))
                return
            case Missing():
                self._leave(topic)
                self._refuse(404, f"there is no {topic}", topic)
                return
        self._ready[topic] = None

    def _fetch_later(self, topic: str) -> None:
        """One reading at a time: what is read is held until it is written."""
        if self._fetching is not None:
            self._behind = {**(self._behind or {}), topic: None}
            return
        cursor = self._cursors[topic]
        assert isinstance(cursor, Cursor)
        if self._outlet is not None:
            self._outlet.set_write_buffer_limits(CATCHING_UP_BYTES)
        self._fetching = asyncio.create_task(self._fetch(topic, cursor))

    async def _fetch(self, topic: str, cursor: Cursor) -> None:
        try:
            piece = await self._logs.fetch(cursor)
        except (OSError, NotFound) as error:
            piece = None
            _log.error("a log cannot be read on", log=cursor.tail.log, error=str(error))
        self._fetching = None
        if self._behind is not None:
            self._ready |= self._behind
            self._behind = None
        # Unless it was watched anew from elsewhere meanwhile.
        if self._outlet is not None and self._cursors.get(topic) is cursor:
            if piece is not None:
                self._outlet.write(piece.live())
                self._ready[topic] = None
            else:
                self._leave(topic)
                self._refuse(500, "the log cannot be read on; the server's log says why", topic)
        self.pump()


def _frame(topic: str, name: str, value: object) -> bytes:
    return text_frame(orjson.dumps({"topic": topic, name: value}))


def _topic_of(text: str | bytes) -> str | None:
    """The topic that a refused message names, so that its sender can tell which one was refused."""
    try:
        topic = orjson.loads(text)["topic"]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return topic if isinstance(topic, str) and re.fullmatch(r"[a-z]+(/[0-9]+)?", topic[:64]) else None
