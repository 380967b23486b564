"""Takes notifications that have been kept long enough."""

from __future__ import annotations

import structlog

from tailrace.passes import pass_every_hour
from tailrace.store import Store
from tailrace.store.outbox_retention import (
    ExpiredNotification,
    find_expired_notifications,
    forget_notifications,
)

TOGETHER = 500

_log = structlog.get_logger("notify")


class OutboxRetention:
    """Applies the rule now and then; every server may do it."""

    def __init__(self, store: Store, days: int, *, together: int = TOGETHER) -> None:
        """`days` 0 keeps all for ever; a transaction takes as many as `together`."""
        self._store = store
        self._together = together
        self._days = days

    async def run(self) -> None:
        """Remove until cancelled."""
        await pass_every_hour(self.apply, "notifications")

    async def look(self) -> list[ExpiredNotification]:
        """What the rule takes now."""
        return await self._store.read(find_expired_notifications, self._days)

    async def apply(self) -> list[ExpiredNotification]:
        """Take what the rule takes, oldest first; returns what was taken."""
        removed: list[ExpiredNotification] = []
        expired = await self.look()
        for first in range(0, len(expired), self._together):
            part = expired[first : first + self._together]
            gone = set(await self._store.write(forget_notifications, [one.id for one in part]))
            removed += [one for one in part if one.id in gone]
        if removed:
            _log.info("notifications were removed", count=len(removed))
        return removed
