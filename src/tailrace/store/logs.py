"""What the store knows of logs; their bytes are elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from tailrace.domain.outcome import Reason
from tailrace.domain.states import LOG, AttemptState, LogState
from tailrace.store.clock import read_clock
from tailrace.store.moves import move_all
from tailrace.store.stalls import note_going_on
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import log as logs


class LogRow(NamedTuple):
    """A log; `size` in bytes is known once it no longer grows, its CRC-32 once its writer declared it whole: never
    where nobody began it. Retention took it at `removed_at` (ms), and why."""

    id: int
    state: LogState
    size: int | None
    crc32: int | None = None
    removed_at: int | None = None
    removed_why: str | None = None


class LogOwner(NamedTuple):
    """The attempt that writes a log, its agent, and where both stand."""

    attempt_id: int
    run_id: int
    agent_id: int | None
    attempt_state: AttemptState
    reason: str | None
    cookie: str
    log_id: int
    log_state: LogState
    stalled: str | None

    @property
    def lost(self) -> bool:
        """Whether the agent has lost the attempt: its log was cut off, whatever the reason that people are shown.

        An agent may also say itself that its machine was restarted (`agent_lost`); the log is its own then.
        """
        gone = self.log_state is LogState.REMOVED and self.reason == Reason.AGENT_LOST
        return self.log_state is LogState.TRUNCATED or gone


_LOG = select(
    logs.c.id, logs.c.state, logs.c.size, logs.c.crc32, logs.c.removed_at, logs.c.removed_why
).where(logs.c.id == bindparam("log"))
_OWNER = (
    select(
        attempts.c.id,
        attempts.c.run_id,
        attempts.c.agent_id,
        attempts.c.state,
        attempts.c.reason,
        attempts.c.cookie,
        attempts.c.log_id,
        logs.c.state.label("log_state"),
        attempts.c.stalled,
    )
    .join(logs, logs.c.id == attempts.c.log_id)
    .where(attempts.c.id == bindparam("attempt"))
)


def find_log(connection: Connection, id: int) -> LogRow | None:
    """None for an unknown log."""
    row = connection.execute(_LOG, {"log": id}).first()
    return None if row is None else LogRow(row.id, LogState(row.state), *tuple(row)[2:])


def find_logs(connection: Connection, ids: Collection[int]) -> list[LogRow]:
    """Those of these logs that are known; at most 10,000 at once, more than that in parts."""
    found: list[LogRow] = []
    all_ids = sorted(ids)
    for at in range(0, len(all_ids), 10_000):
        part = all_ids[at : at + 10_000]
        rows = connection.execute(select(logs.c.id, logs.c.state, logs.c.size).where(logs.c.id.in_(part)))
        found += [LogRow(row.id, LogState(row.state), row.size) for row in rows]
    return found


def find_owner(connection: Connection, attempt_id: int) -> LogOwner | None:
    """None for an unknown attempt."""
    row = connection.execute(_OWNER, {"attempt": attempt_id}).first()
    if row is None:
        return None
    return LogOwner(
        row.id,
        row.run_id,
        row.agent_id,
        AttemptState(row.state),
        row.reason,
        row.cookie,
        row.log_id,
        LogState(row.log_state),
        row.stalled,
    )


def close_log(connection: Connection, id: int, size: int, crc32: int) -> bool:
    """The log is whole: `size` bytes with this CRC-32; False when it was not open any more."""
    now = read_clock(connection)
    note_going_on(connection, id)
    return bool(move_all(connection, logs, LOG, [id], "close", size=size, crc32=crc32, closed_at=now))
