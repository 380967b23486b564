"""Why outputs stand still, for whoever looks at a run."""

from __future__ import annotations

from tailrace.domain.errors import NoRoom
from tailrace.live.bus import Bus
from tailrace.live.scopes import wake_run
from tailrace.store import Store
from tailrace.store.stalls import note_stalled, run_of_attempt


class Stalls:
    """Shown at once, kept in the store as soon as it takes it: the disk that is full may be the store's own."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._unsaved: dict[int, str | None] = {}

    async def say(self, attempt_id: int, why: str | None) -> None:
        """An attempt's output stands still because of `why`, or goes on (None); wakes who watches its run."""
        self._unsaved[attempt_id] = why
        run_id = await self._store.read(run_of_attempt, attempt_id)
        if run_id is None:
            self._unsaved.pop(attempt_id, None)
            return
        wake_run(self._bus, run_id)
        await self._save(attempt_id)

    async def save(self) -> None:
        """Try again to keep what the store did not take."""
        for attempt_id in tuple(self._unsaved):
            await self._save(attempt_id)

    def shown(self, attempt_id: int, stored: str | None) -> str | None:
        """What is so now of an attempt of which the store has `stored`."""
        return self._unsaved.get(attempt_id, stored)

    async def _save(self, attempt_id: int) -> None:
        while attempt_id in self._unsaved:
            why = self._unsaved[attempt_id]
            try:
                await self._store.write(note_stalled, attempt_id, why)
            except NoRoom:
                return
            if self._unsaved.get(attempt_id) == why:
                self._unsaved.pop(attempt_id, None)
