"""Attempts whose output stands still, and logs whose writer does not come back."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, not_, or_, select, update

from tailrace.domain.states import LOG, LogState
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.moves import move_all
from tailrace.store.tables import agent as agents
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import log as logs
from tailrace.store.tables import log_unsealed

_RUN_OF = select(attempts.c.run_id).where(attempts.c.id == bindparam("attempt"))
_OPEN = select(logs.c.id).where(logs.c.id == attempts.c.log_id, logs.c.state == LogState.OPEN.value)
_STALL = (
    update(attempts)
    .where(attempts.c.id == bindparam("attempt"), _OPEN.exists())
    .values(stalled=bindparam("why", type_=attempts.c.stalled.type))
)
_GO_ON = (
    update(attempts)
    .where(attempts.c.log_id == bindparam("log"), attempts.c.stalled.is_not(None))
    .values(stalled=None)
)


class LeftLog(NamedTuple):
    """An open log whose attempt has ended."""

    log_id: int
    attempt_id: int
    run_id: int
    agent_id: int


def run_of_attempt(connection: Connection, attempt_id: int) -> int | None:
    """None for an unknown attempt."""
    return connection.execute(_RUN_OF, {"attempt": attempt_id}).scalar()


def note_stalled(connection: Connection, attempt_id: int, why: str | None) -> None:
    """Why an attempt's output stands still; None: it does not, and neither does one whose log has ended."""
    connection.execute(_STALL, {"attempt": attempt_id, "why": why})


def note_going_on(connection: Connection, log_id: int) -> None:
    """Nothing of this log stands still any more."""
    connection.execute(_GO_ON, {"log": log_id})


def find_left_logs(connection: Connection, away_ms: int) -> list[LeftLog]:
    """The open logs of ended attempts whose agent was removed, or has not been heard of for `away_ms`."""
    return _read(connection, _left().where(_away(read_clock(connection) - away_ms)))


def left_logs_of(connection: Connection, agent_ids: Collection[int]) -> list[LeftLog]:
    """The open logs of these agents' ended attempts. Reads every open log."""
    return _read(connection, _left().where(attempts.c.agent_id.in_(agent_ids)))


def truncate_left(connection: Connection, left: LeftLog, size: int, away_ms: int) -> bool:
    """Cut off such a log at `size` bytes; False when it has ended meanwhile, or its agent is back."""
    # Locked, because an agent that comes back says so in its own row first.
    agent = select(agents.c.id).where(agents.c.id == left.agent_id, _away(read_clock(connection) - away_ms))
    if connection.execute(agent.with_for_update()).first() is None:
        return False
    return truncate_log(connection, left.log_id, size)


def truncate_log(connection: Connection, id: int, size: int) -> bool:
    """The log has ended at `size` bytes and is not whole; False when it was not open any more."""
    note_going_on(connection, id)
    return bool(move_all(connection, logs, LOG, [id], "truncate", size=size, closed_at=now_ms()))


def _left() -> Select[int, int, int, int]:
    return (
        select(logs.c.id, attempts.c.id, attempts.c.run_id, attempts.c.agent_id)
        .join(attempts, attempts.c.log_id == logs.c.id)
        .join(agents, agents.c.id == attempts.c.agent_id)
        .where(log_unsealed, logs.c.state == "open", attempts.c.finished_at.is_not(None))
        .order_by(logs.c.id)
    )


def _away(since: int) -> ColumnElement[bool]:
    heard = and_(agents.c.online, agents.c.last_seen_at >= since)
    return or_(agents.c.removed_at.is_not(None), not_(heard))


def _read(connection: Connection, query: Select[int, int, int, int]) -> list[LeftLog]:
    return [LeftLog(*row) for row in connection.execute(query)]
