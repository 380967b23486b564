"""Which notifications have been kept long enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from tailrace.store.clock import read_clock
from tailrace.store.tables import outbox, outbox_ended
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs

_DAY_MS = 24 * 3600 * 1000


class ExpiredNotification(NamedTuple):
    """A notification that a rule takes: `why` is a sentence for people."""

    id: int
    run_id: int
    why: str
    project_name: str
    run_number: int


def find_expired_notifications(connection: Connection, days: int) -> list[ExpiredNotification]:
    """Those that ended more than `days` ago, the oldest first; none where it is 0.

    None of a run that goes on: it says what forges were told of its jobs.
    """
    if not days:
        return []
    before = read_clock(connection) - days * _DAY_MS
    rows = connection.execute(
        select(outbox.c.id, outbox.c.run_id, projects.c.name, runs.c.number)
        .join(runs, runs.c.id == outbox.c.run_id)
        .join(projects, projects.c.id == runs.c.project_id)
        .where(outbox_ended, outbox.c.ended_at <= before, runs.c.finished_at.is_not(None))
        .order_by(outbox.c.ended_at)
    )
    why = f"it was kept for {days} days"
    return [ExpiredNotification(row.id, row.run_id, why, row.name, row.number) for row in rows]


def forget_notifications(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Delete those of them that are not to be sent again meanwhile, and return which."""
    gone = delete(outbox).where(outbox.c.id.in_(ids), outbox_ended)
    return list(connection.execute(gone.returning(outbox.c.id)).scalars())
