"""Triggers and planning are tried on SQLite and on a real PostgreSQL, as the store is; with real repositories."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tailrace.domain.model import RunView
from tailrace.domain.states import RunState
from tailrace.live.bus_memory import MemoryBus
from tailrace.live.scopes import PLANNING
from tailrace.sources.repositories import Repositories
from tailrace.store import Store
from tailrace.store.runs import get_run
from tailrace.store.sealing import SealingKey
from tailrace.triggers.planner import Planner
from tests.unit.sources.conftest import Repository
from tests.unit.store.conftest import connection, database_url, engine, engines, store

__all__ = ["connection", "database_url", "engine", "engines", "store"]
KEY = SealingKey(bytes(32))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
async def planned(store: Store, tmp_path: Path) -> AsyncIterator[Callable[[int], Awaitable[RunView]]]:
    """Waits until a planner at work has planned or ended a run, and gives it."""
    bus = MemoryBus()
    await bus.start()
    working = asyncio.create_task(Planner(store, bus, Repositories(tmp_path / "mirrors"), KEY).run())

    async def until_planned(id: int) -> RunView:
        bus.publish(PLANNING)
        async with asyncio.timeout(60):
            while (shown := await store.read(get_run, id)).state is RunState.PLANNING:
                await asyncio.sleep(0.01)
        return shown

    yield until_planned
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    # What it was at is cancelled with it; git's processes end before the loop does.
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
