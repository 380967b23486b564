"""One live connection to the server: what goes out, control before bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from websockets.asyncio.client import ClientConnection

from tailrace.agent.uploader import Uploader
from tailrace.domain.report import Load
from tailrace.domain.wire import AgentMessage, Beat

_BEAT_EARLY = 0.75
"""The server counts silence from what it received: say something before it is due."""


class Link:
    """From a welcome to the connection's end.

    `beat_s`: the longest silence that the server allows; at least so often it is also told the machine's `load`.
    """

    def __init__(self, socket: ClientConnection, beat_s: float, load: Callable[[], Load]) -> None:
        self._load = load
        self.uploader = Uploader()
        self._socket = socket
        self._beat_s = beat_s * _BEAT_EARLY
        self._out: deque[AgentMessage] = deque()
        self._changed = asyncio.Event()

    def say(self, message: AgentMessage) -> None:
        """Send this after the messages said before, and before any log bytes."""
        self._out.append(message)
        self._changed.set()

    def nudge(self) -> None:
        """Something about the uploads changed: look at them again."""
        self._changed.set()

    async def pump(self) -> None:
        """Send until cancelled or until the connection ends (websockets.ConnectionClosed)."""
        clock = asyncio.get_running_loop().time
        beat = clock() - self._beat_s  # the first at once
        while True:
            self._changed.clear()
            if self._out:
                await self._socket.send(self._out.popleft().model_dump_json(), text=True)
                continue
            now = clock()
            if now - beat >= self._beat_s:
                beat = now
                self._out.append(Beat(load=self._load()))
                continue
            chunk = self.uploader.next_chunk(now)
            if chunk is not None:
                await self._socket.send(chunk)
                continue
            due = min(beat + self._beat_s, self.uploader.next_due() or float("inf"))
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
