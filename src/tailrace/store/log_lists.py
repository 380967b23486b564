"""Which logs there are, for whoever looks through many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from tailrace.domain.states import LogState, RunState
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import job as jobs
from tailrace.store.tables import log as logs
from tailrace.store.tables import plan as plans
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs

SLACK_MS = 3600 * 1000
"""By how much the clock may have stepped back between two runs, and none is overlooked."""


@dataclass(frozen=True)
class LogFilter:
    """Of which runs: `state` is the run's, and it was created in [since, until) (ms since the epoch)."""

    project: int | None = None
    plan: int | None = None
    branch: str | None = None
    state: RunState | None = None
    since: int | None = None
    until: int | None = None


class ListedLog(NamedTuple):
    """A log and whose it is; `size` in bytes is known once it no longer grows."""

    id: int
    state: LogState
    size: int | None
    attempt: int
    job: str
    run_id: int
    run_number: int
    plan_name: str
    project_name: str


class RunBounds(NamedTuple):
    """Ids of runs: `first` ≤ id < `last`."""

    first: int
    last: int


def run_bounds(connection: Connection, wanted: LogFilter) -> RunBounds:
    """Between which ids the runs are that were created in the filter's time: found by bisection, for ids grow with time."""
    newest = connection.execute(select(func.max(runs.c.id))).scalar_one() or 0
    first = 0 if wanted.since is None else _first_since(connection, wanted.since - SLACK_MS, newest)
    last = newest + 1 if wanted.until is None else _first_since(connection, wanted.until + SLACK_MS, newest)
    return RunBounds(first, last)


def list_logs(
    connection: Connection, wanted: LogFilter, bounds: RunBounds, most_runs: int
) -> tuple[list[ListedLog], RunBounds | None]:
    """The logs of the newest `most_runs` runs within the bounds, newest run first and within it in the order of the plan;
    and the bounds of the page after it, None on the last. Logs that were removed, or that ended empty, are left out."""
    query = (
        select(
            runs.c.id,
            runs.c.number,
            plans.c.name.label("plan_name"),
            projects.c.name.label("project_name"),
        )
        .join(plans, plans.c.id == runs.c.plan_id)
        .join(projects, projects.c.id == runs.c.project_id)
        .where(runs.c.id >= bounds.first, runs.c.id < bounds.last)
        .order_by(runs.c.id.desc())
        .limit(most_runs)
    )
    for column, value in (
        (runs.c.project_id, wanted.project),
        (runs.c.plan_id, wanted.plan),
        (runs.c.branch, wanted.branch),
        (runs.c.state, wanted.state),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(runs.c.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(runs.c.created_at < wanted.until)
    page = {row.id: row for row in connection.execute(query)}
    found = connection.execute(
        select(
            logs.c.id,
            logs.c.state,
            logs.c.size,
            attempts.c.number,
            attempts.c.run_id,
            jobs.c.name,
        )
        .select_from(attempts)
        .join(jobs, jobs.c.id == attempts.c.job_id)
        .join(logs, logs.c.id == attempts.c.log_id)
        .where(attempts.c.run_id.in_(list(page)))
        .where(logs.c.state != LogState.REMOVED, func.coalesce(logs.c.size, 1) > 0)
        .order_by(attempts.c.run_id.desc(), jobs.c.position, attempts.c.number)
    )
    listed = [
        ListedLog(
            row.id,
            LogState(row.state),
            row.size,
            row.number,
            row.name,
            row.run_id,
            page[row.run_id].number,
            page[row.run_id].plan_name,
            page[row.run_id].project_name,
        )
        for row in found
    ]
    return listed, RunBounds(bounds.first, min(page)) if len(page) == most_runs else None


def _first_since(connection: Connection, time_ms: int, newest: int) -> int:
    """The least id of which all later runs were created at `time_ms` or after it, as far as ids grow with time."""
    low, high = 0, newest + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            select(runs.c.id, runs.c.created_at).where(runs.c.id >= middle).order_by(runs.c.id).limit(1)
        ).first()
        if row is None or row.created_at >= time_ms:
            high = middle
        else:
            low = row.id + 1
    return low
