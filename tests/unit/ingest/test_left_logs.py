"""All agents that come back together cost one look at the open logs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tailrace.ingest.left_logs import LeftLogs
from tailrace.store import Store
from tests.unit.ingest.world import World


class Looks:
    """The store's reads, each of which waits until it may go on."""

    def __init__(self, store: Store, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[int, ...]] = []
        self.gate = asyncio.Semaphore(0)
        read = store.read

        async def look(function: Any, agents: tuple[int, ...]) -> Any:
            self.asked.append(agents)
            await self.gate.acquire()
            return await read(function, agents)

        patch.setattr(store, "read", look)


async def test_who_asks_while_another_is_answered_waits_for_the_next_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of these together; nobody gets an answer from a look that began before the question."""
    looks = Looks(world.store, monkeypatch)
    left = LeftLogs(world.store)
    first = asyncio.create_task(left.of(1))
    while not looks.asked:
        await asyncio.sleep(0)
    others = [asyncio.create_task(left.of(agent)) for agent in (1, 2, 3)]
    gone = asyncio.create_task(left.of(4))
    await asyncio.sleep(0)
    gone.cancel()
    looks.gate.release()
    assert await first == []
    looks.gate.release()
    assert await asyncio.gather(*others) == [[], [], []]
    assert looks.asked == [(1,), (1, 2, 3, 4)]
    looks.gate.release()
    assert await left.of(5) == []


async def test_an_error_is_everybodys_and_the_next_is_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = LeftLogs(world.store)
    with monkeypatch.context() as patch:

        async def fail(*_: Any) -> Any:
            raise OSError("the disk is away")

        patch.setattr(world.store, "read", fail)
        found = await asyncio.gather(left.of(1), left.of(2), return_exceptions=True)
        assert [str(error) for error in found] == ["the disk is away"] * 2
    assert await left.of(1) == []
