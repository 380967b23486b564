"""Feeds those who watch lists and single rows: each change is loaded once and encoded once for all of them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import structlog

from tailrace.live.bus import Bus
from tailrace.live.websocket import text_frame

Load = Callable[[str, frozenset[int] | None], Awaitable[bytes | None]]
"""A message (JSON) with a topic's whole state, or with those rows that are named; None when there is no such topic."""

REST = 4
"""A topic rests this many times as long as a load took, and what changes meanwhile is one load: at most a fifth of the time
goes into loads, while on a server with little to do a change is seen within milliseconds of the one before."""

MAX_REST_S = 0.1

KEPT_FRAMES = 32
"""A watcher that is further behind is sent the whole state anew."""

RETRY_S = 1.0

_log = structlog.get_logger("topics")


class Follows(NamedTuple):
    """A topic that other wakes than its own may change: those of `scope`, whatever their notes. It rests for at least `rest_s`
    after each load."""

    scope: str
    rest_s: float


class Missing(NamedTuple):
    """There is no such topic, or no more."""

    topic: str


class _Frame(NamedTuple):
    number: int
    data: bytes


class TopicHub:
    """Topics by the name of their scope on the bus; lives in one event loop, whose thread makes every call."""

    def __init__(self, bus: Bus, load: Load, follows: Mapping[str, Follows] | None = None) -> None:
        """`follows`: topics that are not woken by their own names."""
        self._bus = bus
        self._load = load
        self._follows = follows or {}
        self._topics: dict[str, _Topic] = {}

    def watch(self, topic: str, wake: Callable[[], None]) -> TopicCursor:
        """Follow a topic, its whole state first; end it with `leave`. `wake` is called when there may be something to take."""
        found = self._topics.get(topic)
        if found is None:
            found = self._topics[topic] = _Topic(topic, self._bus, self._load, self._follows.get(topic))
        cursor = TopicCursor(found, wake)
        found.join(cursor)
        return cursor

    def leave(self, cursor: TopicCursor) -> None:
        """This watcher has gone."""
        topic = cursor.topic
        if topic.leave(cursor) and self._topics.get(topic.name) is topic:
            del self._topics[topic.name]
            topic.close()

    async def close(self) -> None:
        """Load nothing more."""
        for topic in self._topics.values():
            topic.close()
        self._topics.clear()


class _Topic:
    """One topic with its watchers. One load at a time, so frames are in the order of what they tell."""

    def __init__(self, name: str, bus: Bus, load: Load, follows: Follows | None) -> None:
        self.name = name
        self._follows = follows
        self.number = 0  # of the newest frame
        self.frames: deque[_Frame] = deque(maxlen=KEPT_FRAMES)
        self._load = load
        self._watchers: set[TopicCursor] = set()
        self._wanting: set[TopicCursor] = set()  # they wait for the whole state
        self._changed: set[int] = set()
        self._all_changed = False
        self._rest_until = 0.0
        self._timer: asyncio.Handle | None = None
        self._due = 0.0  # when the timer ends; uvloop's own knows no time where that is past already
        self._loading: asyncio.Task[None] | None = None
        self._unsubscribe = bus.subscribe(name if follows is None else follows.scope, self._woken)

    def join(self, cursor: TopicCursor) -> None:
        self._watchers.add(cursor)
        self.want(cursor)

    def leave(self, cursor: TopicCursor) -> bool:
        """Whether it was the last."""
        self._watchers.discard(cursor)
        self._wanting.discard(cursor)
        return not self._watchers

    def close(self) -> None:
        self._unsubscribe()
        if self._timer is not None:
            self._timer.cancel()
        if self._loading is not None:
            self._loading.cancel()

    def want(self, cursor: TopicCursor) -> None:
        """Owe this watcher the whole state."""
        cursor.number = cursor.told = None
        self._wanting.add(cursor)
        self._schedule(0)

    def _woken(self, note: int | None) -> None:
        if note is None or self._follows is not None:
            self._all_changed = True
        else:
            self._changed.add(note)
        self._schedule(self._rest_until)

    def _schedule(self, when: float) -> None:
        """Load at this time of the loop's clock, unless that is to be done before."""
        if self._loading is not None:
            return
        if self._timer is not None:
            if self._due <= when:
                return
            self._timer.cancel()
        self._due = when
        self._timer = asyncio.get_running_loop().call_at(when, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._loading = asyncio.create_task(self._load_once())

    async def _load_once(self) -> None:
        wanting, self._wanting = self._wanting, set()
        changed, self._changed = frozenset(self._changed), set()
        everything, self._all_changed = self._all_changed, False
        began = time.monotonic()
        failed = False
        try:
            if changed and not everything and len(self._watchers) > len(wanting):
                frame = await self._load(self.name, changed)
                if frame is not None:
                    self._publish(text_frame(frame))
            if everything or wanting:
                self._give_whole(await self._load(self.name, None), self._watchers if everything else wanting)
        except Exception:
            _log.exception("a topic could not be loaded; trying again", topic=self.name)
            self._wanting |= wanting & self._watchers
            self._changed |= changed
            self._all_changed |= everything
            failed = True
        self._loading = None
        rest = RETRY_S if failed else min((time.monotonic() - began) * REST, MAX_REST_S)
        if self._follows is not None:
            rest = max(rest, self._follows.rest_s)
        self._rest_until = asyncio.get_running_loop().time() + rest
        if self._wanting and not failed:
            self._schedule(0)
        elif self._wanting or self._changed or self._all_changed:
            self._schedule(self._rest_until)

    def _publish(self, data: bytes) -> None:
        self.number += 1
        self.frames.append(_Frame(self.number, data))
        for cursor in tuple(self._watchers):
            cursor.wake()

    def _give_whole(self, frame: bytes | None, to: set[TopicCursor]) -> None:
        data = None if frame is None else text_frame(frame)
        for cursor in tuple(to & self._watchers):
            cursor.number = self.number
            self._wanting.discard(cursor)
            if data is None or cursor.told != data:
                cursor.told = data
                cursor.whole = Missing(self.name) if data is None else data
                cursor.wake()


class TopicCursor:
    """Where one watcher stands in a topic: which frame it was given last."""

    __slots__ = ("number", "told", "topic", "wake", "whole")

    def __init__(self, topic: _Topic, wake: Callable[[], None]) -> None:
        self.topic = topic
        self.wake = wake
        self.number: int | None = None  # None while it waits for the whole state
        self.whole: bytes | Missing | None = None
        self.told: bytes | None = (
            None  # the whole state that it has, or is to take: the same is not sent twice
        )

    def take(self) -> bytes | Missing | None:
        """What comes next, as a WebSocket frame, if it can be had now; it then counts as sent."""
        if self.whole is not None:
            whole, self.whole = self.whole, None
            return whole
        topic = self.topic
        if self.number is None or self.number == topic.number:
            return None
        oldest = topic.frames[0].number
        if self.number + 1 < oldest:
            topic.want(self)
            return None
        frame = topic.frames[self.number + 1 - oldest]
        self.number, self.told = frame.number, None
        return frame.data
