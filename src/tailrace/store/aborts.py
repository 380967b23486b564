"""Ending a run before its time: at once where nothing has begun, through the agent where something has."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, case, func, select, update

from tailrace.domain.errors import MoveRefused
from tailrace.domain.outcome import Reason
from tailrace.domain.states import ATTEMPT, JOB, LOG, RUN, RUN_ENDED, JobState, RunState
from tailrace.store.asking import withdraw
from tailrace.store.clock import read_clock
from tailrace.store.jobs import advance_run, lock_run
from tailrace.store.moves import move, move_all
from tailrace.store.outbox import note_end
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import attempt_held, attempt_pending, job_delayed
from tailrace.store.tables import job as jobs
from tailrace.store.tables import log as logs
from tailrace.store.tables import run as runs

_VERBS = {Reason.SUPERSEDED_BY: "superseded", Reason.REJECTED: "rejected"}


class ToAbort(NamedTuple):
    """An attempt that its agent has to end, on whose word, and how often that was said."""

    attempt_id: int
    by: str
    times: int


def abort_run(connection: Connection, run_id: int, by: str, reason: Reason = Reason.ABORTED_BY) -> list[int]:
    """End what has not begun and ask for the end of what has; returns the agents that have to be told.

    `reason` is `aborted_by`, `superseded_by` or `rejected`; asking again ends the steps of `finally`, superseding again does
    not. Raises NotFound, and MoveRefused when the run has ended already.
    """
    state = lock_run(connection, run_id)
    if state in RUN_ENDED:
        raise MoveRefused(f"run {run_id}", state, "abort")
    now = read_clock(connection)
    detail = f"{_VERBS.get(reason, 'aborted')} by {by}"
    cause = {"reason": reason.value, "detail": detail, "finished_at": now}
    if state is RunState.PLANNING:
        move(connection, runs, RUN, run_id, "abort", **cause)
        note_end(connection, run_id, RunState.ABORTED)
        return []
    withdraw(connection, run_id)
    waiting = select(jobs.c.id).where(jobs.c.run_id == run_id, jobs.c.state == JobState.WAITING.value)
    move_all(connection, jobs, JOB, connection.execute(waiting).scalars(), "abort", **cause)
    delayed = select(jobs.c.id).where(jobs.c.run_id == run_id, job_delayed)
    later = list(connection.execute(delayed).scalars())
    move_all(connection, jobs, JOB, later, "abort", retry_at=None, **cause)
    # Locked, because a lease does not take the run's row: what is being leased is no longer queued.
    queued = connection.execute(
        select(attempts.c.id, attempts.c.job_id, attempts.c.log_id)
        .where(attempts.c.run_id == run_id, attempt_pending)
        .with_for_update()
    ).all()
    move_all(connection, attempts, ATTEMPT, [row.id for row in queued], "abort", **cause)
    move_all(connection, jobs, JOB, [row.job_id for row in queued], "abort", **cause)
    move_all(connection, logs, LOG, [row.log_id for row in queued], "close", size=0, closed_at=now)
    again = 0 if reason is Reason.SUPERSEDED_BY else 1
    told = connection.execute(
        update(attempts)
        .where(attempts.c.run_id == run_id, attempt_held)
        .values(
            abort_by=func.coalesce(attempts.c.abort_by, by),
            aborts=case((attempts.c.aborts == 0, 1), else_=attempts.c.aborts + again),
            # What the agent will say of it is that it was aborted, and not why.
            reason=reason.value if reason is Reason.SUPERSEDED_BY else attempts.c.reason,
        )
        .returning(attempts.c.agent_id)
    ).scalars()
    agents = sorted(set(told))
    advance_run(connection, run_id)
    return agents


_TO_TELL = select(attempts.c.agent_id).where(attempt_held, attempts.c.abort_by.is_not(None)).distinct()


def agents_to_tell(connection: Connection) -> list[int]:
    """The agents that have something to end."""
    return [agent for agent in connection.execute(_TO_TELL).scalars() if agent is not None]


def attempts_to_abort(connection: Connection, agent_id: int) -> list[ToAbort]:
    """What this agent has to end."""
    rows = connection.execute(
        select(attempts.c.id, attempts.c.abort_by, attempts.c.aborts).where(
            attempts.c.agent_id == agent_id, attempt_held, attempts.c.abort_by.is_not(None)
        )
    )
    return [ToAbort(row.id, row.abort_by, row.aborts) for row in rows]
