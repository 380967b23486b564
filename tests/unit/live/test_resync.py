"""Wakes that were lost are made up for from the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from pathlib import Path

import pytest

from tailrace.live.hub import LogView
from tailrace.live.resync import Resync
from tailrace.live.scopes import log_scope
from tests.support.live_house import LiveHouse, in_time, until


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[LiveHouse]:
    """Logs 1 to 20, watched, without a server."""
    made = LiveHouse(tmp_path / "logs")
    await made.bus.start()
    for log in range(1, 21):
        made.create(log)
    yield made
    await made.bus.close()
    made.logs.close()


class Following:
    """Follows a log as an outlet would."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    async def begin(self, house: LiveHouse, log: int) -> Following:
        self.cursor = await house.hub.watch(log, self.woken.set)
        assert self.cursor.take() is None
        self.cursor.follow(self, lambda piece: piece.data)
        return self


async def test_what_nobody_told_is_found_by_one_query_for_all(house: LiveHouse) -> None:
    """Bytes and ends; logs of which nothing is new are left alone."""
    following = {log: await Following().begin(house, log) for log in range(1, 21)}
    asked: list[set[int]] = []

    async def describe_all(ids: Collection[int]) -> dict[int, LogView]:
        asked.append(set(ids))
        return {id: view for id in ids if (view := await house.describe(id))}

    resync = Resync(house.hub, describe_all)
    house.logs.append(3, 0, [], b"untold")
    house.logs.append(4, 0, [], b"the end")
    house.ended[4] = LogView("closed", 7)
    house.logs.reads.clear()
    await resync.look()
    await until(lambda: following[3].data and following[4].woken.is_set(), "the news")
    assert (following[3].data, following[4].data) == (b"untold", b"the end")
    assert asked == [set(range(1, 21))]
    assert {log for log, _ in house.logs.reads} == {3, 4}
    for one in following.values():
        house.hub.leave(one.cursor)
    await resync.look()
    assert len(asked) == 1, "nothing is watched: nothing is asked"


async def test_it_looks_again_after_a_failure(house: LiveHouse) -> None:
    """The database was away for a moment."""
    one = await Following().begin(house, 3)
    fails = 2

    async def describe_all(ids: Collection[int]) -> dict[int, LogView]:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            raise OSError("the database is away")
        return {id: view for id in ids if (view := await house.describe(id))}

    running = asyncio.create_task(Resync(house.hub, describe_all, look_s=0.01).run())
    house.logs.append(3, 0, [], b"untold")
    await until(lambda: one.data == b"untold", "the bytes")
    running.cancel()


async def test_a_wake_of_the_bus_is_heeded_while_the_log_is_watched(house: LiveHouse) -> None:
    """One that tells of nothing new costs nothing."""
    one = await Following().begin(house, 3)
    house.logs.append(3, 0, [], b"elsewhere")
    house.bus.publish(log_scope(3), 9)
    await until(lambda: one.data == b"elsewhere", "the bytes")
    house.logs.reads.clear()
    house.bus.publish(log_scope(3), 9)
    done = asyncio.Event()
    house.bus.subscribe("done", lambda _: done.set())
    house.bus.publish("done")
    await in_time(done.wait())
    assert house.logs.reads == []
    house.hub.leave(one.cursor)
    house.bus.publish(log_scope(3))
    done.clear()
    house.bus.publish("done")
    await in_time(done.wait())
    assert not house.hub.watched(3)
