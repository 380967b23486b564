"""Jobs with their attempts and steps, as they are shown."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, select

from tailrace.domain.errors import NotFound
from tailrace.domain.model import AttemptView, JobView, StepView
from tailrace.store.job_turns import group_within
from tailrace.store.tables import agent as agents
from tailrace.store.tables import artifact as artifacts
from tailrace.store.tables import artifact_kept
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import job as jobs
from tailrace.store.tables import log as logs
from tailrace.store.tables import step as steps


class _Showing(NamedTuple):
    """What shows jobs: four queries, whatever their number."""

    jobs: Select[*tuple[object, ...]]
    attempts: Select[*tuple[object, ...]]
    steps: Select[*tuple[object, ...]]
    artifacts: Select[Any, int]

    @classmethod
    def of(
        cls, of_job: ColumnElement[bool], of_attempt: ColumnElement[bool], of_artifact: ColumnElement[bool]
    ) -> _Showing:
        """The conditions take the parameter `id`."""
        return cls(
            select(jobs).where(of_job).order_by(jobs.c.position),
            select(
                attempts,
                agents.c.name.label("agent"),
                logs.c.state.label("log_state"),
                logs.c.size,
                logs.c.removed_at,
                logs.c.removed_why,
                logs.c.dropped,
            )
            .join(logs, logs.c.id == attempts.c.log_id)
            .outerjoin(agents, agents.c.id == attempts.c.agent_id)
            .where(of_attempt)
            .order_by(attempts.c.id),
            select(steps)
            .join(attempts, attempts.c.id == steps.c.attempt_id)
            .where(of_attempt)
            .order_by(steps.c.attempt_id, steps.c.position),
            select(artifacts.c.job_id, func.count().label("kept"))
            .where(artifact_kept, of_artifact)
            .group_by(artifacts.c.job_id),
        )


_OF_RUN = _Showing.of(
    jobs.c.run_id == bindparam("id"),
    attempts.c.run_id == bindparam("id"),
    artifacts.c.run_id == bindparam("id"),
)
_RUN_OF_JOB = select(jobs.c.run_id).where(jobs.c.id == bindparam("id")).scalar_subquery()
_OF_JOB = _Showing.of(
    jobs.c.id == bindparam("id"),
    attempts.c.job_id == bindparam("id"),
    (artifacts.c.run_id == _RUN_OF_JOB) & (artifacts.c.job_id == bindparam("id")),
)


def jobs_of_run(connection: Connection, run_id: int) -> tuple[JobView, ...]:
    """The jobs of a run in the plan's order, with attempts and steps."""
    return _jobs(connection, _OF_RUN, run_id)


def get_job(connection: Connection, id: int) -> JobView:
    """Raises NotFound."""
    found = _jobs(connection, _OF_JOB, id)
    if not found:
        raise NotFound("job", id)
    return found[0]


def _jobs(connection: Connection, showing: _Showing, id: int) -> tuple[JobView, ...]:
    tries = _attempts(connection, showing, id)
    kept = {row.job_id: row.kept for row in connection.execute(showing.artifacts, {"id": id})}
    rows = connection.execute(showing.jobs, {"id": id})
    views: list[JobView] = []
    for row in rows:
        own = tuple(tries.get(row.id, ()))
        views.append(
            JobView(
                id=row.id,
                run=row.run_id,
                name=row.name,
                state=row.state,
                reason=row.reason,
                detail=row.detail,
                retry_at=row.retry_at,
                allow_failure=row.spec.get("allow_failure", False),
                environment=row.spec.get("environment"),
                concurrency=_group(row),
                matrix=row.spec.get("matrix_of") or None,
                max_parallel=row.spec.get("max_parallel"),
                fail_fast=row.spec.get("fail_fast", False),
                needs=tuple(row.spec["needs"]),
                labels=tuple(row.spec["labels"]),
                agent=own[-1].agent if own else None,
                created_at=row.created_at,
                started_at=row.started_at,
                finished_at=row.finished_at,
                attempts=own,
                artifacts=kept.get(row.id, 0),
            )
        )
    return tuple(views)


def _group(row: Row[*tuple[object, ...]]) -> str | None:
    if row.concurrency is not None:
        return group_within(row.concurrency)
    wanted: dict[str, str] | None = row.spec.get("concurrency")
    return None if wanted is None else wanted["group"]


def _attempts(connection: Connection, showing: _Showing, id: int) -> dict[int, list[AttemptView]]:
    began: dict[int, list[StepView]] = {}
    for row in connection.execute(showing.steps, {"id": id}):
        began.setdefault(row.attempt_id, []).append(
            StepView(
                index=row.position,
                name=row.name,
                state=row.state,
                exit_code=row.exit_code,
                began_at=row.began_at,
                ended_at=row.ended_at,
            )
        )
    tries: dict[int, list[AttemptView]] = {}
    for row in connection.execute(showing.attempts, {"id": id}):
        tries.setdefault(row.job_id, []).append(
            AttemptView(
                id=row.id,
                number=row.number,
                state=row.state,
                reason=row.reason,
                detail=row.detail,
                exit_code=row.exit_code,
                agent=row.agent,
                log=row.log_id,
                log_state=row.log_state,
                log_size=row.size,
                log_removed_at=row.removed_at,
                log_removed_why=row.removed_why,
                log_dropped=row.dropped,
                stalled=row.stalled,
                outputs=row.outputs or {},
                created_at=row.created_at,
                started_at=row.started_at,
                finished_at=row.finished_at,
                steps=tuple(began.get(row.id, ())),
            )
        )
    return tries
