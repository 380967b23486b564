"""Time in which no server was there does not count against a lease."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, func, select, update

from tailrace.store import Store
from tailrace.store.clock import read_clock
from tailrace.store.leases import find_lapsed
from tailrace.store.servers import stamp_server
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import server as servers
from tests.unit.store.world import a_job, a_run, an_agent, lease

TICK_MS = 1000
AWAY_MS = 3_600_000


def _go_away(connection: Connection, ms: int) -> None:
    """As if the last stamp were so old."""
    connection.execute(update(servers).values(seen_at=servers.c.seen_at - ms))


def _untils(connection: Connection) -> list[int]:
    rows = connection.execute(select(attempts.c.lease_until).order_by(attempts.c.id))
    return [until for until in rows.scalars() if until is not None]


def test_leases_are_extended_by_the_time_in_which_no_server_was_there(connection: Connection) -> None:
    assert stamp_server(connection, "a", TICK_MS) == 0, "the first server has not been away"
    a_run(connection, a_job("a"), a_job("b"), a_job("c"))
    lease(connection, an_agent(connection), free=2, lease_ms=-1000)
    before = _untils(connection)
    assert len(find_lapsed(connection)) == 2
    _go_away(connection, AWAY_MS)
    away = stamp_server(connection, "b", TICK_MS)
    assert AWAY_MS <= away <= AWAY_MS + 60_000
    assert _untils(connection) == [until + away for until in before]
    assert find_lapsed(connection) == []
    assert stamp_server(connection, "b", TICK_MS) == 0


def test_one_server_that_is_there_is_enough(connection: Connection) -> None:
    for id in ("a", "b"):
        stamp_server(connection, id, TICK_MS)
    a_run(connection)
    lease(connection, an_agent(connection), lease_ms=-1000)
    connection.execute(update(servers).where(servers.c.id == "a").values(seen_at=0))
    assert stamp_server(connection, "a", TICK_MS) == 0
    assert len(find_lapsed(connection)) == 1


def test_a_stamp_is_the_databases_clock(connection: Connection) -> None:
    before = read_clock(connection)
    stamp_server(connection, "a", TICK_MS)
    seen = connection.execute(select(servers.c.seen_at)).scalar_one()
    assert before <= seen <= read_clock(connection)


def test_servers_that_are_long_gone_are_forgotten(connection: Connection) -> None:
    for n in range(3):
        stamp_server(connection, f"old-{n}", TICK_MS)
    _go_away(connection, 48 * AWAY_MS)
    stamp_server(connection, "new", TICK_MS)
    assert connection.execute(select(func.count()).select_from(servers)).scalar_one() == 1


async def test_servers_that_come_back_at_once_extend_leases_once(store: Store) -> None:
    def prepare(connection: Connection) -> list[int]:
        for n in range(4):
            stamp_server(connection, f"server-{n}", TICK_MS)
        _go_away(connection, AWAY_MS)
        a_run(connection)
        lease(connection, an_agent(connection))
        return _untils(connection)

    (before,) = await store.write(prepare)
    aways = await asyncio.gather(*(store.write(stamp_server, f"new-{n}", TICK_MS) for n in range(4)))
    assert len([away for away in aways if away]) == 1
    assert await store.read(_untils) == [before + sum(aways)]
