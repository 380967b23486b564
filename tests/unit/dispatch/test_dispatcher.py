"""The loop that hands pending attempts to connected agents."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from tailrace.dispatch.dispatcher import Dispatcher
from tailrace.domain.trust import Taker
from tailrace.live.bus_memory import MemoryBus
from tailrace.store import open_store
from tailrace.store.leases import Handover
from tailrace.store.runs import create_run, get_run
from tests.support.databases import migrated
from tests.support.waiting import wait_for
from tests.unit.store.world import a_job, an_agent, new_run


async def test_an_attempt_that_is_too_large_is_not_handed_over_and_holds_up_no_other(tmp_path: Path) -> None:
    """The agent stays connected, and gets the next."""
    store = await open_store(migrated(tmp_path / "tailrace.db"))
    bus = MemoryBus()
    await bus.start()

    def make(connection: Connection) -> tuple[int, int, int]:
        new = new_run(connection, [a_job("test")])
        big = create_run(connection, replace(new, variables={"A": "x" * 9 * 2**20}))
        return an_agent(connection), big, create_run(connection, new)

    agent, big, small = await store.write(make)
    dispatcher = Dispatcher(store, bus, 60_000)
    told: list[Handover] = []
    loop = asyncio.create_task(dispatcher.run())
    try:
        dispatcher.sit(agent, Taker(frozenset()), told.append).offer(1)
        await asyncio.to_thread(wait_for, lambda: told, "an attempt to be handed over")
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
    assert [handover.lease.run for handover in told] == [small]
    assert (await store.read(get_run, big)).reason == "setup_failed"
    await bus.close()
    await store.close()
