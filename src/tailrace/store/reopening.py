"""Another attempt, because people want one: jobs that had ended, and with them their run, go on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from tailrace.domain.errors import Conflict, MoveRefused, NotFound
from tailrace.domain.states import JOB, JOB_ENDED, REOPEN, RUN, RUN_ENDED, JobState, RunState
from tailrace.store.jobs import advance_run, lock_run
from tailrace.store.moves import move, move_all
from tailrace.store.tables import job, run
from tailrace.store.turns import take_place_again

_CLEARED = {"reason": None, "detail": None, "started_at": None, "finished_at": None}
_AGAIN = (JobState.FAILED, JobState.ABORTED)
_RUN_OF = select(job.c.run_id).where(job.c.id == bindparam("job"))
_JOBS = (
    select(job.c.id, job.c.name, job.c.state, job.c.spec)
    .where(job.c.run_id == bindparam("run"))
    .order_by(job.c.position)
)


class _Job(NamedTuple):
    id: int
    state: JobState
    needs: frozenset[str]


def retry_job(connection: Connection, job_id: int) -> int:
    """Try a job again that failed or was aborted, in the run that it belongs to; the run's id.

    The jobs that need it, directly or not, and have ended follow again, however they ended: they saw how it ended, and what it
    gave. Raises NotFound, and MoveRefused for any other job.
    """
    run_id = connection.execute(_RUN_OF, {"job": job_id}).scalar()
    if run_id is None:
        raise NotFound("job", job_id)
    state = lock_run(connection, run_id)
    jobs = _jobs(connection, run_id)
    (name,) = (name for name, one in jobs.items() if one.id == job_id)
    if jobs[name].state not in _AGAIN:
        raise MoveRefused(f"job {job_id}", jobs[name].state, "be tried again")
    _reopen(connection, run_id, state, jobs, {name})
    return run_id


def retry_failed(connection: Connection, run_id: int) -> None:
    """Try all jobs of a run again that failed or were aborted, and what needs them; the others that passed are not touched.

    Raises NotFound, MoveRefused when the run has not ended that way, Conflict when it has no such job.
    """
    state = lock_run(connection, run_id)
    if state not in (RunState.FAILED, RunState.ABORTED):
        raise MoveRefused(f"run {run_id}", state, "be tried again")
    jobs = _jobs(connection, run_id)
    again = {name for name, one in jobs.items() if one.state in _AGAIN}
    if not again:
        raise Conflict(f"run {run_id} ended before it had jobs: start it anew, with all of its jobs")
    _reopen(connection, run_id, state, jobs, again)


def _reopen(
    connection: Connection, run_id: int, state: RunState, jobs: dict[str, _Job], again: Collection[str]
) -> None:
    if state in RUN_ENDED:
        take_place_again(connection, run_id)
        move(connection, run, RUN, run_id, REOPEN, **_CLEARED)
    again_all = (jobs[name].id for name in _with_those_behind(jobs, again))
    move_all(connection, job, JOB, again_all, REOPEN, **_CLEARED)
    advance_run(connection, run_id)


def _with_those_behind(jobs: dict[str, _Job], again: Iterable[str]) -> set[str]:
    """These jobs, and those that need them, directly or not, as far as they have ended."""
    found = set(again)
    grown = True
    while grown:
        more = {
            name
            for name, one in jobs.items()
            if name not in found and one.state in JOB_ENDED and not found.isdisjoint(one.needs)
        }
        found |= more
        grown = bool(more)
    return found


def _jobs(connection: Connection, run_id: int) -> dict[str, _Job]:
    rows = connection.execute(_JOBS, {"run": run_id})
    return {row.name: _Job(row.id, JobState(row.state), frozenset(row.spec["needs"])) for row in rows}
