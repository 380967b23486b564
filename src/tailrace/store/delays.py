"""Jobs that are tried again after a while: `delay` of their `retry`."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select, update

from tailrace.domain.plan import JobSpec
from tailrace.store.clock import read_clock
from tailrace.store.jobs import lock_run, queue_attempt
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import job as jobs
from tailrace.store.tables import job_delayed


class Due(NamedTuple):
    """A job whose next attempt is to begin."""

    job_id: int
    run_id: int


_DUE = select(jobs.c.id, jobs.c.run_id).where(job_delayed, jobs.c.retry_at <= bindparam("now"))
_TAKE = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"), job_delayed)
    .values(retry_at=None)
    .returning(jobs.c.spec)
)
_TRIES = select(func.max(attempts.c.number)).where(attempts.c.job_id == bindparam("job"))


def find_due(connection: Connection) -> list[Due]:
    """The jobs whose delay is over, oldest first."""
    return [
        Due(*row)
        for row in connection.execute(_DUE.order_by(jobs.c.retry_at), {"now": read_clock(connection)})
    ]


def queue_due(connection: Connection, due: Due) -> bool:
    """Queue the next attempt; False when another server did, or the run was aborted meanwhile."""
    lock_run(connection, due.run_id)
    taken = connection.execute(_TAKE, {"job": due.job_id}).scalar()
    if taken is None:
        return False
    spec = JobSpec.model_validate(taken)
    number = (connection.execute(_TRIES, {"job": due.job_id}).scalar() or 0) + 1
    queue_attempt(connection, due.run_id, due.job_id, spec.labels, number, spec.start_timeout_s)
    return True
