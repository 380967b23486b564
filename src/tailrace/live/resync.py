"""Looks on a slow timer whether the store knows more of the watched logs than their watchers were told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog

from tailrace.live.hub import LogHub
from tailrace.live.tail import LogView

LOOK_S = 5.0

DescribeAll = Callable[[Collection[int]], Awaitable[Mapping[int, LogView]]]
"""What the store knows of these logs, in one query; logs that it does not know are left out."""

_log = structlog.get_logger("hub")


class Resync:
    """A lost wake costs so much latency and no data."""

    def __init__(self, hub: LogHub, describe_all: DescribeAll, look_s: float = LOOK_S) -> None:
        self._hub = hub
        self._describe_all = describe_all
        self._look_s = look_s

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._look_s)
            try:
                await self.look()
            except Exception as error:
                _log.error(
                    "the watched logs could not be compared with the store; trying again", error=str(error)
                )

    async def look(self) -> None:
        """Once, at all that this server's watchers watch."""
        watched = self._hub.logs
        if watched:
            self._hub.compare(await self._describe_all(watched))
