"""Ending jobs before their time: at once where nothing has begun, through the agent where something has."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, case, func, select, update

from tailrace.domain.outcome import Reason
from tailrace.domain.states import ATTEMPT, JOB, LOG, JobState
from tailrace.store.asking import withdraw
from tailrace.store.clock import read_clock
from tailrace.store.moves import move_all
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import attempt_held, attempt_pending, job_delayed
from tailrace.store.tables import job as jobs
from tailrace.store.tables import log as logs

_VERBS = {Reason.SUPERSEDED_BY: "superseded", Reason.REJECTED: "rejected"}
AUTOMATIC = (Reason.SUPERSEDED_BY, Reason.MATRIX_FAILED)
"""Nobody asked for these ends: what the agent will say of them is that they were aborted, and not why."""


def in_words(reason: Reason, by: str) -> str:
    """How something ended that `by` ended."""
    return f"{_VERBS.get(reason, 'aborted')} by {by}"


def end_early(
    connection: Connection, run_id: int, by: str, reason: Reason, *, only: Collection[int] | None = None
) -> list[int]:
    """End what has not begun of a run, or of these jobs of it, and ask for the end of what has; the agents that have to be told.

    To ask again ends the steps of `finally`, unless it is for one of the AUTOMATIC reasons. The caller holds the run's row, and
    advances the run.
    """
    now = read_clock(connection)
    cause = {"reason": reason.value, "detail": in_words(reason, by), "finished_at": now}
    of_run = [jobs.c.run_id == run_id] + ([] if only is None else [jobs.c.id.in_(only)])
    tries = [attempts.c.run_id == run_id] + ([] if only is None else [attempts.c.job_id.in_(only)])
    withdraw(connection, run_id, only)
    waiting = select(jobs.c.id).where(*of_run, jobs.c.state == JobState.WAITING.value)
    move_all(connection, jobs, JOB, connection.execute(waiting).scalars(), "abort", **cause)
    delayed = select(jobs.c.id).where(*of_run, job_delayed)
    later = list(connection.execute(delayed).scalars())
    move_all(connection, jobs, JOB, later, "abort", retry_at=None, **cause)
    # Locked, because a lease does not take the run's row: what is being leased is no longer queued.
    queued = connection.execute(
        select(attempts.c.id, attempts.c.job_id, attempts.c.log_id)
        .where(*tries, attempt_pending)
        .with_for_update()
    ).all()
    move_all(connection, attempts, ATTEMPT, [row.id for row in queued], "abort", **cause)
    move_all(connection, jobs, JOB, [row.job_id for row in queued], "abort", **cause)
    move_all(connection, logs, LOG, [row.log_id for row in queued], "close", size=0, closed_at=now)
    again = 0 if reason in AUTOMATIC else 1
    told = connection.execute(
        update(attempts)
        .where(*tries, attempt_held)
        .values(
            abort_by=func.coalesce(attempts.c.abort_by, by),
            aborts=case((attempts.c.aborts == 0, 1), else_=attempts.c.aborts + again),
            reason=reason.value if reason in AUTOMATIC else attempts.c.reason,
        )
        .returning(attempts.c.agent_id)
    ).scalars()
    return sorted(set(told))
