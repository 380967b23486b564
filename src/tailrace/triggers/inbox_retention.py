"""Takes the headers and bodies of deliveries that have been kept long enough."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import structlog

from tailrace.passes import pass_every_hour
from tailrace.store import Store
from tailrace.store.deliveries import ExpiredDelivery, body_files, find_expired_deliveries, remove_bodies

TOGETHER = 500
STRAY_S = 3600.0
"""A file that no delivery names after so long was left behind by a server that died."""

_log = structlog.get_logger("deliveries")


class InboxRetention:
    """Applies the rule now and then; every server may do it. A body's file goes after the commit, or at a later pass."""

    def __init__(self, store: Store, folder: Path, days: int) -> None:
        """`folder` holds the large bodies; `days` 0 keeps all for ever."""
        self._store = store
        self._folder = folder
        self._days = days

    async def run(self) -> None:
        """Remove until cancelled."""
        await pass_every_hour(self.apply, "deliveries")

    async def look(self) -> list[ExpiredDelivery]:
        """What the rule takes now."""
        return await self._store.read(find_expired_deliveries, self._days)

    async def apply(self) -> list[ExpiredDelivery]:
        """Take what the rule takes, oldest first, and files that nothing names; returns what was taken."""
        removed: list[ExpiredDelivery] = []
        expired = await self.look()
        for first in range(0, len(expired), TOGETHER):
            part = expired[first : first + TOGETHER]
            gone = set(await self._store.write(remove_bodies, [one.id for one in part]))
            removed += [one for one in part if one.id in gone]
        await self._sweep({one.body_file for one in removed if one.body_file is not None})
        if removed:
            _log.info("deliveries were removed", count=len(removed))
        return removed

    async def _sweep(self, gone: set[str]) -> None:
        old = await asyncio.to_thread(self._old_files)
        for first in range(0, len(old), TOGETHER):
            part = old[first : first + TOGETHER]
            gone |= set(part) - await self._store.read(body_files, part)
        await asyncio.to_thread(self._unlink, gone)

    def _old_files(self) -> list[str]:
        before = time.time() - STRAY_S
        if not self._folder.is_dir():
            return []
        files = (path for path in self._folder.iterdir() if path.suffix == ".zlib" and path.is_file())
        return [path.name for path in files if path.stat().st_mtime < before]

    def _unlink(self, names: set[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
