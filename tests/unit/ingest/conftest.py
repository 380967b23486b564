from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tailrace.domain.errors import NoRoom
from tailrace.ingest.desk import Desk
from tailrace.ingest.left_logs import LeftLogs
from tailrace.ingest.stalls import Stalls
from tailrace.live.bus_memory import MemoryBus
from tailrace.live.hub import LogHub, LogView
from tailrace.logs.tail_file import FileLogStore
from tailrace.store import open_store
from tests.support.databases import migrated
from tests.unit.ingest.world import KEY, World
from tests.unit.store.world import a_run, an_agent


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """One agent, and one run whose job waits in the queue."""
    store = await open_store(migrated(tmp_path / "tailrace.db"))
    logs = FileLogStore(tmp_path / "logs")
    bus = MemoryBus()
    await bus.start()

    async def describe(_log: int) -> LogView | None:
        return None

    hub = LogHub(logs, describe)
    agent, run = await store.write(an_agent), await store.write(a_run)
    yield World(
        store,
        Desk(store, logs, hub, bus, 60_000, logs, KEY, left_logs=LeftLogs(store), stalls=Stalls(store, bus)),
        agent,
        run,
        [],
    )
    await hub.close()
    await bus.close()
    await store.close()


@pytest.fixture
def no_room(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Makes the store's disk full, or not."""
    write = world.store.write
    full = False

    async def write_if_room(function: Any, *args: Any, **kwargs: Any) -> Any:
        if full:
            raise NoRoom
        return await write(function, *args, **kwargs)

    monkeypatch.setattr(world.store, "write", write_if_room)

    def fill(wanted: bool) -> None:
        nonlocal full
        full = wanted

    return fill
