"""Ends what those watch whose token is good no more."""

from __future__ import annotations

import asyncio

import structlog

from tailrace.live.bus import Bus
from tailrace.live.connections import Connections
from tailrace.live.scopes import TOKENS
from tailrace.live.signal import Signal
from tailrace.store import Store
from tailrace.store.identity import good_among

EVERY_S = 5.0
_log = structlog.get_logger("tokens")


class TokensGone:
    """Every request asks the store who calls; a watch asked once, when it began, and is asked after here."""

    def __init__(self, store: Store, bus: Bus, connections: Connections, every_s: float = EVERY_S) -> None:
        self._store = store
        self._bus = bus
        self._connections = connections
        self._every_s = every_s

    async def run(self) -> None:
        """Look at each wake, and every so often: tokens expire too, and wakes are lost."""
        signal = Signal()
        unsubscribe = self._bus.subscribe(TOKENS, lambda _note: signal.set())
        try:
            while True:
                try:
                    async with asyncio.timeout(self._every_s):
                        await signal.wait()
                except TimeoutError:
                    pass
                try:
                    await self.look()
                except Exception as error:
                    _log.error(
                        "whose tokens are good still could not be read; trying again", error=str(error)
                    )
        finally:
            unsubscribe()

    async def look(self) -> None:
        """End the watches of tokens that were removed or have expired."""
        watching = self._connections.tokens
        if not watching:
            return
        gone = watching - await self._store.read(good_among, watching)
        if gone:
            self._connections.end(gone)
