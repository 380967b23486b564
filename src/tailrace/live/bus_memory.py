"""The bus of a server that is alone."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from tailrace.live.bus import Bus, Wake

_log = structlog.get_logger("bus")


class MemoryBus(Bus):
    """Wakes within this process; a burst of them is one turn of the event loop."""

    def __init__(self) -> None:
        self._subscribers: dict[str, dict[object, Wake]] = {}
        self._waiting: deque[tuple[str, int | None]] = deque()
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def publish(self, scope: str, note: int | None = None) -> None:
        """Reach current subscribers at most once; before `start` and after `close` it reaches nobody."""
        loop = self._loop
        if loop is None:
            return
        self._waiting.append((scope, note))
        # Without a lock: `_deliver` lowers the flag before it empties the queue, so the worst is a turn for nothing.
        if not self._scheduled:
            self._scheduled = True
            try:
                loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop has ended, and all subscribers with it
                self._loop = None

    def subscribe(self, scope: str, callback: Wake) -> Callable[[], None]:
        key = object()
        self._subscribers.setdefault(scope, {})[key] = callback

        def unsubscribe() -> None:
            subscribers = self._subscribers.get(scope)
            if subscribers is not None:
                subscribers.pop(key, None)
                if not subscribers:
                    del self._subscribers[scope]

        return unsubscribe

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        self._loop = None
        self._waiting.clear()

    def _deliver(self) -> None:
        self._scheduled = False
        while self._waiting:
            scope, note = self._waiting.popleft()
            for callback in tuple(self._subscribers.get(scope, {}).values()):
                try:
                    callback(note)
                except Exception:
                    _log.exception("a subscriber failed on a wake", scope=scope, note=note)
