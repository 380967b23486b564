"""Servers stamp that they are alive: time in which none was counts against no lease, and against no wait for one."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update

from tailrace.store.clock import read_clock
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import attempt_may_be_late
from tailrace.store.tables import server as servers

_FORGET_MS = 24 * 3600 * 1000


def stamp_server(connection: Connection, id: str, tick_ms: int) -> int:
    """Stamp this server; when no server had stamped for longer than two ticks, extend every lease by that time, and the time
    in which pending attempts may be taken.

    Returns the time (ms) by which leases were extended.
    """
    away = _away(connection, tick_ms)
    if away:
        # Another server may be back at the same moment: the first to lock the stamps extends, the others see its stamp.
        connection.execute(select(servers.c.id).order_by(servers.c.id).with_for_update())
        away = _away(connection, tick_ms)
    now = read_clock(connection)
    if away:
        connection.execute(
            update(attempts)
            .where(attempts.c.lease_until.is_not(None))
            .values(lease_until=attempts.c.lease_until + away)
        )
        connection.execute(
            update(attempts).where(attempt_may_be_late).values(start_by=attempts.c.start_by + away)
        )
        connection.execute(delete(servers).where(servers.c.seen_at < now - _FORGET_MS))
    if connection.execute(update(servers).where(servers.c.id == id).values(seen_at=now)).rowcount == 0:
        connection.execute(insert(servers).values(id=id, seen_at=now))
    return away


def _away(connection: Connection, tick_ms: int) -> int:
    last = connection.execute(select(func.max(servers.c.seen_at))).scalar()
    if last is None:
        return 0
    away = read_clock(connection) - last
    return away if away > 2 * tick_ms else 0
