from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tailrace.live.bus_memory import MemoryBus
from tailrace.logs.tail_file import FileLogStore
from tailrace.store import open_store
from tests.support.databases import migrated
from tests.unit.notify.world import World
from tests.unit.store.conftest import connection, database_url, engine, engines, store

__all__ = ["connection", "database_url", "engine", "engines", "store"]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A project with a plan, an agent, and what sends its notifications."""
    store = await open_store(migrated(tmp_path / "tailrace.db"))
    bus = MemoryBus()
    await bus.start()
    world = World(store, bus, FileLogStore(tmp_path / "logs"))
    await world.begin()
    yield world
    await world.close()
    await bus.close()
    await store.close()
