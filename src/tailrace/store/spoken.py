"""Who speaks for a commit: of its runs of one plan, by one kind of event, one tells forges of each job."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, or_, select

from tailrace.domain.states import RunState
from tailrace.store.tables import job as jobs
from tailrace.store.tables import run as runs

_ME = runs.alias("me")
_OTHER = runs.alias("other")
_ALIKE = (
    (_ME.c.id == bindparam("run"))
    & (_ME.c.revision == _OTHER.c.revision)
    & (_ME.c.plan_id == _OTHER.c.plan_id)
    & (_ME.c.trigger_event == _OTHER.c.trigger_event)
)
_SAME_HOME = _OTHER.c.from_fork == _ME.c.from_fork
_OTHERS = (
    select(jobs.c.name)
    .select_from(_OTHER)
    .join(_ME, _ALIKE)
    .join(jobs, jobs.c.run_id == _OTHER.c.id)
    .where(or_(_SAME_HOME & (_OTHER.c.id > _ME.c.id), _ME.c.from_fork & ~_OTHER.c.from_fork))
)
_UNPLANNED = (
    select(_OTHER.c.id)
    .join(_ME, _ALIKE)
    .where(
        _SAME_HOME,
        _OTHER.c.id < _ME.c.id,
        _OTHER.c.state.in_([RunState.FAILED.value, RunState.ABORTED.value]),
        ~exists().where(jobs.c.run_id == _OTHER.c.id),
    )
    .limit(1)
)


class Voice(NamedTuple):
    """What a run has to say: nothing of the jobs `spoken` for by another; and, where it is `first_planned`, that its plan could be
    read, because an older one has said that it could not."""

    spoken: frozenset[str] = frozenset()
    first_planned: bool = False


def voice_of(connection: Connection, run_id: int) -> Voice:
    """Of the jobs of a commit, plan and kind of event the newest run tells that has them.

    A run from a fork has no word where one of the repository's own has: anybody can open a pull request of a commit that he saw.
    """
    this = {"run": run_id}
    spoken = frozenset(connection.execute(_OTHERS, this).scalars())
    return Voice(spoken, connection.execute(_UNPLANNED, this).first() is not None)
