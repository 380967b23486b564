"""Ending runs before their time, and telling whoever has to know."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from tailrace.domain.errors import MoveRefused
from tailrace.live.bus import Bus
from tailrace.live.scopes import QUEUE, agent_scope, wake_run
from tailrace.store import Store
from tailrace.store.aborts import abort_run


async def end_run(store: Store, bus: Bus, id: int, by: str) -> None:
    """End a run. Raises NotFound, or MoveRefused when it has ended."""
    for agent in await store.write(abort_run, id, by):
        bus.publish(agent_scope(agent))
    bus.publish(QUEUE)  # others may have got its turn
    wake_run(bus, id)


async def end_runs(store: Store, bus: Bus, ids: Iterable[int], by: str) -> list[int]:
    """End runs, each by itself; those that were told to."""
    ended: list[int] = []
    for id in ids:
        with suppress(MoveRefused):  # it ended by itself meanwhile
            await end_run(store, bus, id, by)
            ended.append(id)
    return ended
