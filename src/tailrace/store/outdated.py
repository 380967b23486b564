"""Questions about pull requests from forks that a newer one takes the place of: of the same plan and the same pull request."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, FromClause, bindparam, or_, select

from tailrace.domain.events import EventKind
from tailrace.store.tables import approval as approvals
from tailrace.store.tables import approval_open
from tailrace.store.tables import run as runs

_ME, _OTHER = runs.alias("me"), runs.alias("other")
_OF_RUN = approvals.c.job_id.is_(None)


def _follows(newer: FromClause, older: FromClause) -> ColumnElement[bool]:
    """Whether a run takes the place of an older one; what a person made again says nothing about another commit."""
    return (
        (newer.c.plan_id == older.c.plan_id)
        & (newer.c.ref == older.c.ref)
        & newer.c.from_fork
        & older.c.from_fork
        & (newer.c.trigger_event == EventKind.PULL_REQUEST.value)
        & (older.c.trigger_event == EventKind.PULL_REQUEST.value)
        & or_(newer.c.trigger_kind != "manual", newer.c.revision == older.c.revision)
    )


# By their ids, because the questions are few whatever the history of the plan; a bound of ids has SQLite go through that.
RUNS_IN_QUESTION = select(approvals.c.run_id).where(approval_open, _OF_RUN)
_OLDER = (
    select(_OTHER.c.id)
    .join(_ME, _follows(_ME, _OTHER))
    .where(_ME.c.id == bindparam("run"), _OTHER.c.id.in_(RUNS_IN_QUESTION))
    .order_by(_OTHER.c.id)
)
_YOUNGER = (
    select(_OTHER.c.id)
    .join(approvals, approvals.c.run_id == _OTHER.c.id)
    .join(_ME, _follows(_OTHER, _ME))
    .where(_ME.c.id == bindparam("run"), _OTHER.c.id > _ME.c.id, _OF_RUN)
    .order_by(_OTHER.c.id.desc())
    .limit(1)
)
_IS_ASKED = RUNS_IN_QUESTION.where(approvals.c.run_id == bindparam("run"))


def outdated_by(connection: Connection, run_id: int) -> Sequence[int]:
    """The runs about which people are still asked, and need not be when they are asked about this one."""
    return [one for one in connection.execute(_OLDER, {"run": run_id}).scalars() if one < run_id]


def asked_since(connection: Connection, run_id: int) -> int | None:
    """The newest run that came after this one, and about which people were asked already; None where there is none."""
    return connection.execute(_YOUNGER, {"run": run_id}).scalar()


def is_asked(connection: Connection, run_id: int) -> bool:
    """Whether people are asked about this whole run."""
    return connection.execute(_IS_ASKED, {"run": run_id}).first() is not None
