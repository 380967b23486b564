"""When tokens were used last: noted by requests, written beside them."""

from __future__ import annotations

import asyncio
import time

import structlog

from tailrace.live.signal import Signal
from tailrace.store import Store
from tailrace.store.identity import stamp_used

STAMP_S = 60.0
"""When a token was used is known to this."""

TOGETHER_S = 1.0
"""What was used meanwhile is written at once."""

_log = structlog.get_logger("tokens")


class TokensUsed:
    """Writes each token at most once a minute, however often it is used."""

    def __init__(self, store: Store, together_s: float = TOGETHER_S) -> None:
        self._store = store
        self._together_s = together_s
        self._noted: dict[int, float] = {}
        self._waiting: set[int] = set()
        self._signal = Signal()

    def note(self, token: int) -> None:
        """It is used now. Waits for nothing."""
        now = time.monotonic()
        noted = self._noted.get(token)
        if noted is not None and now - noted < STAMP_S:
            return
        self._noted[token] = now
        self._waiting.add(token)
        self._signal.set()

    async def run(self) -> None:
        """Write until cancelled. What cannot be written is not written: the next use of the token is."""
        while True:
            await self._signal.wait()
            await asyncio.sleep(self._together_s)
            ids, self._waiting = self._waiting, set()
            try:
                await self._store.write(stamp_used, ids)
            except Exception as error:
                _log.error("when tokens were used could not be written", error=str(error))
                for id in ids:
                    self._noted.pop(id, None)
