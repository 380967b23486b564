"""Attempts that no agent took in the time that their plan gives: `start_timeout`."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from tailrace.domain.outcome import Reason
from tailrace.domain.states import ATTEMPT, LOG
from tailrace.store.clock import read_clock
from tailrace.store.jobs import end_job, lock_run
from tailrace.store.leases import Ended
from tailrace.store.moves import move, move_all
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import attempt_may_be_late, attempt_pending
from tailrace.store.tables import log as logs


class Late(NamedTuple):
    """An attempt that waits for longer than it may; `waited_ms` is since it was queued."""

    attempt_id: int
    job_id: int
    run_id: int
    waited_ms: int


def find_late(connection: Connection) -> list[Late]:
    """The pending attempts whose time is over, the latest first."""
    now = read_clock(connection)
    rows = connection.execute(
        select(attempts.c.id, attempts.c.job_id, attempts.c.run_id, attempts.c.created_at)
        .where(attempt_may_be_late, attempts.c.start_by < now)
        .order_by(attempts.c.start_by)
    )
    return [Late(row.id, row.job_id, row.run_id, now - row.created_at) for row in rows]


def give_up(connection: Connection, late: Late, detail: str) -> Ended | None:
    """End it, and its job, as `start_timeout`; None when an agent was quicker."""
    lock_run(connection, late.run_id)
    # Locked, because a lease does not take the run's row.
    row = connection.execute(
        select(attempts).where(attempts.c.id == late.attempt_id, attempt_pending).with_for_update()
    ).one_or_none()
    if row is None:
        return None
    now = read_clock(connection)
    cause = {"reason": Reason.START_TIMEOUT, "detail": detail, "finished_at": now}
    move(connection, attempts, ATTEMPT, row.id, "give_up", **cause)
    move_all(connection, logs, LOG, [row.log_id], "close", size=0, closed_at=now)
    return Ended(late.run_id, end_job(connection, row, "give_up", cause))
