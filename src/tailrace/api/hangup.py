"""Notices that a client has gone while its response is being sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Receive


class Hangup:
    """Reads what comes after the request: nothing, then that the client has gone. To be used as a context."""

    def __init__(self, receive: Receive, on_gone: Callable[[], None] | None = None) -> None:
        self.gone = False
        self._receive = receive
        self._on_gone = on_gone

    async def __aenter__(self) -> Hangup:
        self._task = asyncio.create_task(self._wait())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._on_gone is not None:
            self._on_gone()
