"""Who speaks for a commit: of its runs of one plan, by one kind of event, one tells forges of each job."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, or_, select

from tailrace.store.tables import job as jobs
from tailrace.store.tables import run as runs

_ME = runs.alias("me")
_OTHER = runs.alias("other")
_OTHERS = (
    select(jobs.c.name)
    .select_from(_OTHER)
    .join(
        _ME,
        (_ME.c.revision == _OTHER.c.revision)
        & (_ME.c.plan_id == _OTHER.c.plan_id)
        & (_ME.c.trigger_event == _OTHER.c.trigger_event),
    )
    .join(jobs, jobs.c.run_id == _OTHER.c.id)
    .where(
        _ME.c.id == bindparam("run"),
        or_(
            (_OTHER.c.from_fork == _ME.c.from_fork) & (_OTHER.c.id > _ME.c.id),
            _ME.c.from_fork & ~_OTHER.c.from_fork,
        ),
    )
)


def spoken_for(connection: Connection, run_id: int) -> frozenset[str]:
    """The names of the jobs of which another run tells, and not this one: a newer one of the same commit, plan and kind of event.

    A run from a fork has no word where one of the repository's own has: anybody can open a pull request of a commit that he saw.
    """
    return frozenset(connection.execute(_OTHERS, {"run": run_id}).scalars())
