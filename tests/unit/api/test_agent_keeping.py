"""What connected agents need now and then, on a real store, real logs and real sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from tailrace.api.agent_keeping import SILENCE_S, Keeping, Kept
from tailrace.dispatch.dispatcher import Seat
from tailrace.domain.errors import NoRoom
from tailrace.domain.report import Load
from tailrace.domain.spans import Span, Stream
from tailrace.domain.states import AgentMode
from tailrace.domain.trust import Taker
from tailrace.domain.wire import Ack, Drop, ServerMessage, pack_chunk
from tailrace.ingest.desk import Desk
from tailrace.ingest.left_logs import LeftLogs
from tailrace.ingest.session import Session
from tailrace.ingest.stalls import Stalls
from tailrace.live.bus_memory import MemoryBus
from tailrace.live.hub import LogHub, LogView
from tailrace.logs.tail_file import FileLogStore
from tailrace.store import Store, open_store
from tailrace.store.agents import AgentChange, change_agent, list_agents, remove_agent
from tailrace.store.leases import Handover, Offer, lease_attempts
from tailrace.store.sealing import SealingKey
from tailrace.store.tables import agent as agents
from tailrace.store.tables import attempt as attempts
from tests.support.databases import migrated
from tests.unit.store.world import a_run, an_agent

DUE_MS = 0
"""Leases of this length are due to be renewed whenever one looks."""


class Line:
    """The end of a connection on which nothing comes."""

    def __init__(self) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        self.was_cut = False

    async def receive(self) -> list[str | bytes]:
        return []

    def say(self, text: bytes) -> None: ...

    async def close(self, code: int, why: str) -> None: ...

    def cut(self) -> None:
        self.was_cut = True


@dataclass
class Connected:
    """An agent as it is kept, and what it was told."""

    id: int
    line: Line
    session: Session
    kept: Kept
    told: list[ServerMessage]
    ends: list[int]


@dataclass
class House:
    store: Store
    desk: Desk
    keeping: Keeping
    ends: list[int] = field(default_factory=list[int])

    async def agent(self, name: str = "a") -> Connected:
        id = await self.store.write(an_agent, name=name)
        await self.store.write(_never_seen, id)
        told: list[ServerMessage] = []
        line, session = Line(), Session(self.desk, id, told.append)
        seat = Seat(id, Taker(frozenset()), session.deliver, lambda: None)

        async def removed() -> None:
            self.ends.append(id)

        kept = self.keeping.begin(id, line, session, seat, removed)
        return Connected(id, line, session, kept, told, self.ends)

    async def settle(self, *connected: Connected) -> None:
        """Look, and wait for what is done beside it."""
        await self.keeping.look()
        await asyncio.gather(*(task for one in connected for task in tuple(one.kept.work.values())))

    async def seen(self) -> dict[int, bool]:
        """Which agents were heard of, says the store."""
        return {one.id: one.last_seen_at > 0 for one in await self.store.read(list_agents, DUE_MS)}


def _never_seen(connection: Connection, id: int) -> None:
    connection.execute(update(agents).where(agents.c.id == id).values(last_seen_at=0))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = await open_store(migrated(tmp_path / "tailrace.db"))
    logs = FileLogStore(tmp_path / "logs")
    bus = MemoryBus()
    await bus.start()

    async def describe(_log: int) -> LogView | None:
        return None

    hub = LogHub(logs, describe)
    key = SealingKey(bytes(32))
    desk = Desk(
        store, logs, hub, bus, DUE_MS, logs, key, left_logs=LeftLogs(store), stalls=Stalls(store, bus)
    )
    yield House(store, desk, Keeping(desk))
    await hub.close()
    await bus.close()
    await store.close()


async def _lease(house: House, connected: Connected) -> int:
    """Give the agent an attempt, whose lease has run out already; its log."""
    await house.store.write(a_run)
    offer = Offer(connected.id, Taker(frozenset()), 1)
    (granted,) = await house.store.write(lease_attempts, [offer], -1)
    connected.session.deliver(Handover(granted.lease))
    return granted.lease.log


def _lease_until(connection: Connection) -> list[int]:
    return [int(until or 0) for until in connection.execute(select(attempts.c.lease_until)).scalars()]


async def test_who_was_heard_of_is_renewed_and_who_was_not_is_not(house: House) -> None:
    """With what each said of its machine; once for each time that it was heard of."""
    loud, quiet, other = [await house.agent(name) for name in ("loud", "quiet", "other")]
    await _lease(house, loud)
    (before,) = await house.store.read(_lease_until)
    loud.kept.heard = other.kept.heard = True
    loud.kept.load = Load(waiting=2.5, memory_free=1, disk_free=2)
    await house.settle(loud, quiet, other)
    assert await house.seen() == {loud.id: True, quiet.id: False, other.id: True}
    (after,) = await house.store.read(_lease_until)
    assert after > before
    shown = {one.id: one.load for one in await house.store.read(list_agents, DUE_MS)}
    assert (shown[loud.id], shown[other.id]) == (loud.kept.load, None)
    assert not loud.kept.heard


async def test_a_store_that_cannot_renew_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to say anything more for it."""
    one = await house.agent()
    one.kept.heard = True

    async def full(*_: object, **__: object) -> None:
        raise NoRoom

    with monkeypatch.context() as broken:
        broken.setattr(house.store, "write", full)
        with pytest.raises(NoRoom):
            await house.keeping.look()
    assert await house.seen() == {one.id: False}
    await house.settle(one)
    assert await house.seen() == {one.id: True}


async def test_what_people_changed_is_seen_without_a_wake(house: House) -> None:
    """Its mode, its labels, whose work it takes; and that it was removed."""
    changed, removed = await house.agent("changed"), await house.agent("removed")
    change = AgentChange(labels=["prod"], mode=AgentMode.PAUSED, projects=[])
    await house.store.write(change_agent, changed.id, change, "kim")
    await house.store.write(remove_agent, removed.id, "Ada")
    changed.kept.heard = removed.kept.heard = True
    await house.settle(changed, removed)
    given = frozenset({"prod"})
    assert changed.kept.seat.taker == Taker(given, given, frozenset())
    assert not changed.kept.seat.active
    assert house.ends == [removed.id]


async def test_an_attempt_that_was_taken_is_dropped_without_a_wake(house: House) -> None:
    """Also by an agent whose bytes are being made durable at that moment."""
    one = await house.agent()
    log = await _lease(house, one)
    await one.session.chunks([pack_chunk(log, 0, [Span(0, 0, Stream.STDOUT, 0)], b"x")])
    await house.store.write(_take_away)
    one.kept.heard = True
    await house.settle(one)
    assert [message.kind for message in one.told if isinstance(message, Drop)] == ["drop"]


def _take_away(connection: Connection) -> None:
    connection.execute(update(attempts).values(state="pending", lease_until=None, agent_id=None))


async def test_what_arrived_becomes_durable(house: House) -> None:
    """And the agent is told, so that it may free it."""
    one = await house.agent()
    log = await _lease(house, one)
    await one.session.chunks([pack_chunk(log, 0, [Span(0, 0, Stream.STDOUT, 0)], b"words")])
    await house.settle(one)
    assert [message.durable for message in one.told if isinstance(message, Ack)][-1] == 5
    assert not one.session.unsynced


async def test_who_is_silent_for_long_is_cut_off(house: House) -> None:
    """Its connection is dead, whatever the system believes; the others stay, and one that has ended is nobody's affair."""
    silent, ended, well = [await house.agent(name) for name in ("silent", "ended", "well")]
    silent.line.heard_at = ended.line.heard_at = asyncio.get_running_loop().time() - SILENCE_S - 1
    house.keeping.end(ended.kept)
    await house.settle(silent, ended, well)
    assert (silent.line.was_cut, ended.line.was_cut, well.line.was_cut) == (True, False, False)


async def test_many_agents_are_renewed_in_one_transaction(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a thousand agents that wait cost a few per cent of a processor."""
    crowd = [await house.agent(f"agent-{number}") for number in range(50)]
    for one in crowd:
        one.kept.heard = True
    write, read, asked = house.store.write, house.store.read, list[str]()

    async def counted_write(*arguments: object) -> object:
        asked.append("write")
        return await write(*arguments)  # type: ignore[arg-type]

    async def counted_read(*arguments: object) -> object:
        asked.append("read")
        return await read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(house.store, "write", counted_write)
    monkeypatch.setattr(house.store, "read", counted_read)
    await house.settle(*crowd)
    assert asked == ["write", "read"]
