"""Removes artifacts that have been kept long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from tailrace.live.bus import Bus
from tailrace.live.scopes import wake_run
from tailrace.passes import pass_every_hour
from tailrace.store import Store
from tailrace.store.artifact_retention import ArtifactRules, ExpiredArtifact, find_expired_artifacts
from tailrace.store.artifacts import forget_unfinished, remove_artifact

TOGETHER = 64

_log = structlog.get_logger("artifacts")


class ArtifactRetention:
    """Applies the rules now and then; every server may do it, each artifact is removed once.

    What is removed is first marked in the store; its object is an orphan from then on, and goes when the archive is swept.
    """

    def __init__(self, store: Store, bus: Bus, rules: ArtifactRules, sweep: Callable[[], None]) -> None:
        """`sweep` is called when there are orphans."""
        self._store = store
        self._bus = bus
        self._rules = rules
        self._sweep = sweep

    async def run(self) -> None:
        """Remove until cancelled; where the settings have no rule, plans may have theirs."""
        await pass_every_hour(self.apply, "artifacts")

    async def look(self) -> list[ExpiredArtifact]:
        """What the rules take now."""
        return await self._store.read(find_expired_artifacts, self._rules)

    async def apply(self) -> list[ExpiredArtifact]:
        """Remove what the rules take, oldest first, and forget what was announced and never came; returns what was removed."""
        await self._store.write(forget_unfinished)
        removed: list[ExpiredArtifact] = []
        expired = await self.look()
        for first in range(0, len(expired), TOGETHER):
            part = expired[first : first + TOGETHER]
            done = await asyncio.gather(
                *(self._store.write(remove_artifact, one.id, one.why) for one in part)
            )
            removed += [one for one, gone in zip(part, done, strict=True) if gone is not None]
        if removed:
            _log.info("artifacts were removed", count=len(removed), bytes=sum(one.bytes for one in removed))
            self._sweep()
            for run in {one.run_id for one in removed}:
                wake_run(self._bus, run)
        return removed

    async def remove(self, id: int, why: str) -> None:
        """Remove one before its time; nothing happens when it is gone already."""
        run = await self._store.write(remove_artifact, id, why)
        if run is not None:
            self._sweep()
            wake_run(self._bus, run)
