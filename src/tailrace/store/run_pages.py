"""Which runs a page of a list shows: found by one index for each kind of question, however many runs there are.

Runs that have not ended are few, and are found by their state. Of those that have ended, each combination of filters has an index
that is in the order of the list (tables/run_indexes.py). Where a branch is asked for within a project or a plan and no state is,
each state is asked in turn, and the newest of all are taken.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, literal_column, select

from tailrace.domain.states import RUN_ENDED, RunState
from tailrace.store.tables import plan as plans
from tailrace.store.tables import run as runs


class Wanted(NamedTuple):
    """What is asked for; None: anything. `before` is the cursor: only ids below it."""

    state: RunState | None
    project: int | None
    plan: int | None
    branch: str | None
    trigger: int | None
    before: int | None
    limit: int


def find_page(connection: Connection, wanted: Wanted) -> list[int]:
    """The ids of the newest runs that are wanted, the newest first."""
    if wanted.plan is not None and wanted.project is not None:
        # All runs of a plan are of one project: to compare each would be to read them all.
        if (
            connection.execute(select(plans.c.project_id).where(plans.c.id == wanted.plan)).scalar()
            != wanted.project
        ):
            return []
        wanted = wanted._replace(project=None)
    by_index = wanted.branch is None or (wanted.project is None and wanted.plan is None)
    if wanted.state is None and (by_index or wanted.trigger is not None):
        return _find(connection, wanted)
    states = list(RunState) if wanted.state is None else [wanted.state]
    found = [id for state in states for id in _find(connection, wanted._replace(state=state))]
    return sorted(found, reverse=True)[: wanted.limit]


def _find(connection: Connection, wanted: Wanted) -> list[int]:
    query = select(runs.c.id).order_by(runs.c.id.desc()).limit(wanted.limit)
    if wanted.before is not None:
        query = query.where(runs.c.id < wanted.before)
    for condition in _conditions(wanted):
        query = query.where(condition)
    return list(connection.execute(query).scalars())


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        column == value
        for column, value in (
            (runs.c.project_id, wanted.project),
            (runs.c.plan_id, wanted.plan),
            (runs.c.branch, wanted.branch),
            (runs.c.trigger_id, wanted.trigger),
        )
        if value is not None
    ]
    if wanted.state is None:
        return conditions
    conditions.append(runs.c.state == literal_column(f"'{wanted.state.value}'"))
    if wanted.state in RUN_ENDED:
        if wanted.trigger is None and len(conditions) > 1:
            conditions.append(runs.c.finished_at.is_not(None))
    elif len(conditions) > 1:
        conditions.append(runs.c.finished_at.is_(None))
    return conditions
