"""Servers stamp that they are alive: time in which none was does not count against any lease."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update

from tailrace.store.clock import read_clock
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import server as servers

_FORGET_MS = 24 * 3600 * 1000


def stamp_server(connection: Connection, id: str, tick_ms: int) -> int:
    """Stamp this server; when no server had stamped for longer than two ticks, extend every lease by that time.

    Returns the time (ms) by which leases were extended.
    """
    now = read_clock(connection)
    last = connection.execute(select(func.max(servers.c.seen_at))).scalar()
    away = now - last if last is not None and now - last > 2 * tick_ms else 0
    if away:
        connection.execute(
            update(attempts)
            .where(attempts.c.lease_until.is_not(None))
            .values(lease_until=attempts.c.lease_until + away)
        )
        connection.execute(delete(servers).where(servers.c.seen_at < now - _FORGET_MS))
    if connection.execute(update(servers).where(servers.c.id == id).values(seen_at=now)).rowcount == 0:
        connection.execute(insert(servers).values(id=id, seen_at=now))
    return away
