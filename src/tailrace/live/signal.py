"""A flag that one task waits for."""

from __future__ import annotations

import asyncio


class Signal:
    """Raised by anybody in the event loop, lowered by the one task that waits: an asyncio.Event for a single waiter."""

    __slots__ = ("_raised", "_waiter")

    def __init__(self) -> None:
        self._raised = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        self._raised = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Return once it was raised since the last return."""
        if not self._raised:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._raised = False
