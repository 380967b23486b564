"""Removes logs that have been kept long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from tailrace.passes import pass_every_hour
from tailrace.store import Store
from tailrace.store.retention import Expired, Rules, find_expired, remove_log

TOGETHER = 64

_log = structlog.get_logger("retention")


class Retention:
    """Applies the rules now and then; every server may do it, each log is removed once.

    A removed log is first marked in the store, with its objects noted as orphans in the same transaction; these go from the
    archive afterwards, however often that has to be tried.
    """

    def __init__(self, store: Store, rules: Rules, sweep: Callable[[], None]) -> None:
        """`sweep` is called when there are orphans."""
        self._store = store
        self._rules = rules
        self._sweep = sweep

    async def run(self) -> None:
        """Remove until cancelled; nothing is done where no rule is set."""
        if any(self._rules):
            await pass_every_hour(self.apply, "logs")

    async def look(self) -> list[Expired]:
        """What the rules take now."""
        return await self._store.read(find_expired, self._rules)

    async def apply(self) -> list[Expired]:
        """Remove what the rules take, oldest first; returns what was removed."""
        removed: list[Expired] = []
        expired = await self.look()
        for first in range(0, len(expired), TOGETHER):
            part = expired[first : first + TOGETHER]
            done = await asyncio.gather(*(self._store.write(remove_log, one.log_id, one.why) for one in part))
            removed += [one for one, gone in zip(part, done, strict=True) if gone]
        if removed:
            _log.info("logs were removed", logs=len(removed), bytes=sum(one.bytes for one in removed))
            self._sweep()
        return removed
