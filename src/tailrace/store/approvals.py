"""Approvals: listed, and decided by people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, Row, Select, func, or_, select, update

from tailrace.domain.approvals import ApprovalState, ApprovalView
from tailrace.domain.errors import Conflict, Forbidden, NotFound
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import Plan, PlanInvalid, parse_plan
from tailrace.domain.states import JOB
from tailrace.store.aborts import abort_run
from tailrace.store.clock import now_ms
from tailrace.store.jobs import advance_run, lock_run
from tailrace.store.moves import move
from tailrace.store.new_jobs import take_turn
from tailrace.store.tables import approval as approvals
from tailrace.store.tables import approval_open
from tailrace.store.tables import job as jobs
from tailrace.store.tables import plan as plans
from tailrace.store.tables import plan_version as versions
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs


@dataclass(frozen=True)
class ApprovalFilter:
    """Which approvals to list; `before` is the cursor: only ids below it."""

    state: ApprovalState | None = None
    project: int | None = None
    run: int | None = None
    before: int | None = None
    limit: int = 50


class Decided(NamedTuple):
    """What a decision moved: its run, the other runs that it superseded, and agents that have to be told to end something."""

    run_id: int
    superseded: tuple[int, ...] = ()
    agents: tuple[int, ...] = ()


_VIEWS: Select[*tuple[object, ...]] = (
    select(
        approvals,
        runs.c.project_id,
        runs.c.number,
        runs.c.branch,
        runs.c.revision,
        runs.c.title,
        runs.c.author,
        runs.c.from_fork,
        projects.c.name.label("project_name"),
        plans.c.name.label("plan_name"),
        jobs.c.name.label("job_name"),
    )
    .join(runs, runs.c.id == approvals.c.run_id)
    .join(projects, projects.c.id == runs.c.project_id)
    .join(plans, plans.c.id == runs.c.plan_id)
    .outerjoin(jobs, jobs.c.id == approvals.c.job_id)
)
_WANTED = projects.c.removed_at.is_(None)
"""What is asked for a project that was removed is no question to anybody, until it is restored."""
_COUNT = (
    select(func.count())
    .select_from(approvals)
    .join(runs, runs.c.id == approvals.c.run_id)
    .join(projects, projects.c.id == runs.c.project_id)
    .where(approval_open, _WANTED)
)


def list_approvals(connection: Connection, wanted: ApprovalFilter) -> list[ApprovalView]:
    """The newest that the filter lets through, newest first."""
    query = _VIEWS.order_by(approvals.c.id.desc()).limit(wanted.limit)
    if wanted.project is not None:
        query = query.where(runs.c.project_id == wanted.project)
    if wanted.run is not None:
        query = query.where(approvals.c.run_id == wanted.run)
    if wanted.state is ApprovalState.OPEN:
        query = query.where(approval_open, _WANTED)
    elif wanted.state is not None:
        query = query.where(approvals.c.state == wanted.state.value)
    else:
        query = query.where(or_(~approval_open, _WANTED))
    if wanted.before is not None:
        query = query.where(approvals.c.id < wanted.before)
    return [_view(row) for row in connection.execute(query)]


def get_approval(connection: Connection, id: int) -> ApprovalView:
    """Raises NotFound, also for one that is open and whose project was removed."""
    row = connection.execute(_VIEWS.where(approvals.c.id == id, or_(~approval_open, _WANTED))).first()
    if row is None:
        raise NotFound("approval", id)
    return _view(row)


def decide(connection: Connection, id: int, *, approve: bool, by: str, why: str | None) -> Decided:
    """Approve or reject: what waited goes on, or ends with reason `rejected`.

    Raises NotFound, Conflict when it was decided or withdrawn, Forbidden for those whom its environment does not name.
    """
    run_id = get_approval(connection, id).run
    lock_run(connection, run_id)  # whoever decides at the same time waits here, and finds it decided
    asked = get_approval(connection, id)
    if asked.state is not ApprovalState.OPEN:
        whom = f" by {asked.by}" if asked.by else ": its run has ended, or its job was aborted"
        raise Conflict(f"approval {id} was {asked.state.value}{whom}; nothing waits for it any more")
    if asked.approvers is not None and by not in asked.approvers:
        raise Forbidden(
            f"approval {id}: {by} may not decide for environment {asked.environment};"
            f" allowed: {', '.join(asked.approvers) or 'nobody'}"
        )
    state = ApprovalState.APPROVED if approve else ApprovalState.REJECTED
    connection.execute(
        update(approvals).where(approvals.c.id == id).values(state=state.value, by=by, why=why, at=now_ms())
    )
    if not approve:
        return _reject(connection, asked, f"{by}: {why}" if why else by)
    if asked.job is not None:
        advance_run(connection, run_id)
        return Decided(run_id)
    turned = take_turn(connection, run_id, _plan_of(connection, run_id))
    advance_run(connection, run_id)
    return Decided(run_id, tuple(turned.superseded), tuple(turned.agents))


def count_open(connection: Connection) -> int:
    """How many approvals people are asked for."""
    return connection.execute(_COUNT).scalar_one()


def _reject(connection: Connection, asked: ApprovalView, by: str) -> Decided:
    if asked.job is None:
        return Decided(asked.run, (), tuple(abort_run(connection, asked.run, by, Reason.REJECTED)))
    cause = {"reason": Reason.REJECTED.value, "detail": f"rejected by {by}", "finished_at": now_ms()}
    move(connection, jobs, JOB, asked.job, "abort", **cause)
    advance_run(connection, asked.run)
    return Decided(asked.run)


def _plan_of(connection: Connection, run_id: int) -> Plan:
    definition = connection.execute(
        select(versions.c.definition)
        .join(runs, runs.c.plan_version_id == versions.c.id)
        .where(runs.c.id == run_id)
    ).scalar_one()
    try:
        return parse_plan(definition, f"the plan of run {run_id}")
    except PlanInvalid as error:
        raise Conflict(
            f"the plan of run {run_id} cannot be read any more: reject it, and run it anew: {error}"
        ) from None


def _view(row: Row[*tuple[object, ...]]) -> ApprovalView:
    return ApprovalView(
        id=row.id,
        state=row.state,
        project=row.project_id,
        project_name=row.project_name,
        plan_name=row.plan_name,
        run=row.run_id,
        run_number=row.number,
        job=row.job_id,
        job_name=row.job_name,
        environment=row.environment,
        approvers=None if row.approvers is None else tuple(row.approvers),
        branch=row.branch,
        revision=row.revision,
        title=row.title,
        author=row.author,
        from_fork=row.from_fork,
        asked_at=row.asked_at,
        by=row.by,
        why=row.why,
        at=row.at,
    )
