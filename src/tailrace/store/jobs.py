"""Jobs and their attempts: made, moved on when others end, shown."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, insert, select

from tailrace.domain.errors import NotFound
from tailrace.domain.model import AttemptView, JobView, StepView
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import JobSpec
from tailrace.domain.progress import JobProgress, counted, progress
from tailrace.domain.states import JOB, RUN, RUN_ENDED, JobState, LogState, RunState, derive_run_state
from tailrace.store.asking import NO_GATE, at_gate, run_waits, withdraw
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.moves import move, move_all
from tailrace.store.outbox import note_end, note_progress
from tailrace.store.outputs import values_for
from tailrace.store.tables import agent as agents
from tailrace.store.tables import artifact as artifacts
from tailrace.store.tables import artifact_kept
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import job as jobs
from tailrace.store.tables import log as logs
from tailrace.store.tables import run as runs
from tailrace.store.tables import step as steps
from tailrace.store.turns import next_in_turn, turn_of

_RUN_VERBS = {
    RunState.RUNNING: "start",
    RunState.PASSED: "pass",
    RunState.FAILED: "fail",
    RunState.ABORTED: "abort",
    RunState.SKIPPED: "skip",
}


# Statements of the way that every run takes are built once: building one takes several times as long as executing it.
_RUN_STATE = select(runs.c.state, runs.c.from_fork).where(runs.c.id == bindparam("run")).with_for_update()
_JOBS_OF_RUN = (
    select(jobs.c.id, jobs.c.name, jobs.c.spec, jobs.c.state)
    .where(jobs.c.run_id == bindparam("run"))
    .order_by(jobs.c.position)
)
_RUN_RANK = select(runs.c.project_id, runs.c.priority, runs.c.from_fork).where(runs.c.id == bindparam("run"))
_SPEC = select(jobs.c.spec).where(jobs.c.id == bindparam("job"))
_TRIES = select(func.max(attempts.c.number)).where(attempts.c.job_id == bindparam("job"))
_NEW_LOG = insert(logs).values(state=LogState.OPEN, created_at=now_ms()).returning(logs.c.id)
_NEW_ATTEMPT = insert(attempts).values(state="pending", created_at=now_ms())


def lock_run(connection: Connection, run_id: int) -> RunState:
    """Take the run's row until the transaction ends, so that two jobs of it cannot end past each other; its state.

    Raises NotFound.
    """
    return RunState(_locked(connection, run_id).state)


def _locked(connection: Connection, run_id: int) -> Row[*tuple[object, ...]]:
    row = connection.execute(_RUN_STATE, {"run": run_id}).one_or_none()
    if row is None:
        raise NotFound("run", run_id)
    return row


def advance_run(connection: Connection, run_id: int) -> bool:
    """Move the waiting jobs on and derive the run's state; returns whether attempts were queued.

    The caller holds the run's row (`lock_run`, or because it has just made it).
    """
    run = _locked(connection, run_id)
    before = RunState(run.state)
    waits = before is RunState.PENDING and (
        turn_of(connection, run_id) is not None or (run.from_fork and run_waits(connection, run_id))
    )
    rows = connection.execute(_JOBS_OF_RUN, {"run": run_id}).all()
    ids = {row.name: row.id for row in rows}
    states = {row.name: JobState(row.state) for row in rows}
    specs = {row.name: row.spec for row in rows}
    moves = progress(
        [
            JobProgress(
                row.name,
                tuple(row.spec["needs"]),
                states[row.name],
                row.spec.get("condition", ""),
                row.spec.get("matrices", {}),
                row.spec.get("allow_failure", False),
            )
            for row in rows
        ],
        lambda name: values_for(connection, run_id, specs[name]),
    )
    for name, reason, detail in moves.skipped:
        _skip(connection, ids[name], reason, detail)
        states[name] = JobState.SKIPPED
    ready = () if waits else moves.ready
    wanting = {ids[name]: specs[name]["environment"] for name in ready if specs[name].get("environment")}
    gate = at_gate(connection, run_id, wanting) if wanting else NO_GATE
    for job_id, why in gate.refused.items():
        _skip(connection, job_id, Reason.ENVIRONMENT_REFUSED, why)
    ready = tuple(name for name in ready if ids[name] not in gate.waiting and ids[name] not in gate.refused)
    move_all(connection, jobs, JOB, [ids[name] for name in ready], "ready")
    for row in rows:
        if row.name in ready:
            states[row.name] = JobState.PENDING
            number = (connection.execute(_TRIES, {"job": row.id}).scalar() or 0) + 1
            wait_s = row.spec.get("start_timeout_s")
            queue_attempt(connection, run_id, row.id, row.spec["labels"], number, start_timeout_s=wait_s)
    if gate.refused:  # which may decide about others
        return advance_run(connection, run_id) or bool(ready)
    now = derive_run_state(
        counted(state, allow_failure=specs[name].get("allow_failure", False))
        for name, state in states.items()
    )
    if waits and now is RunState.RUNNING:  # some jobs passed before it was let go on
        now = RunState.PENDING
    _follow(connection, run_id, before, now)
    note_progress(connection, run_id)
    queued = bool(ready)
    if now in RUN_ENDED and now is not before:
        if run.from_fork or any(spec.get("environment") for spec in specs.values()):
            withdraw(connection, run_id)
        for next_id in next_in_turn(connection, run_id):
            queued |= advance_run(connection, next_id)
    return queued


def _skip(connection: Connection, job_id: int, reason: Reason, detail: str) -> None:
    move(connection, jobs, JOB, job_id, "skip", reason=reason, detail=detail, finished_at=now_ms())


def end_job(
    connection: Connection, attempt: Row[*tuple[object, ...]], verb: str, cause: Mapping[str, object]
) -> bool:
    """A job's last attempt (a row of its table) has ended: so does the job, unless it is to be tried again.

    `cause` is its reason, detail and time. Returns whether attempts were queued. The caller holds the run's row.
    """
    if verb == "fail":
        spec = JobSpec.model_validate(connection.execute(_SPEC, {"job": attempt.job_id}).scalar_one())
        retry = spec.retry
        if retry is not None and attempt.number <= retry.max and cause["reason"] in retry.on:
            if retry.delay_s:
                at = read_clock(connection) + retry.delay_s * 1000
                move(connection, jobs, JOB, attempt.job_id, "retry", retry_at=at)
                return False
            move(connection, jobs, JOB, attempt.job_id, "retry")
            queue_attempt(
                connection,
                attempt.run_id,
                attempt.job_id,
                spec.labels,
                attempt.number + 1,
                spec.start_timeout_s,
            )
            note_progress(connection, attempt.run_id)
            return True
    move(connection, jobs, JOB, attempt.job_id, verb, **cause)
    return advance_run(connection, attempt.run_id)


def _follow(connection: Connection, run_id: int, before: RunState, now: RunState) -> None:
    if now is before or now is RunState.PENDING:
        return
    values: dict[str, object] = (
        {"started_at": now_ms()} if now is RunState.RUNNING else {"finished_at": now_ms()}
    )
    if now in (RunState.FAILED, RunState.ABORTED):
        ended = connection.execute(
            select(jobs.c.name, jobs.c.reason, jobs.c.detail, jobs.c.spec)
            .where(jobs.c.run_id == run_id, jobs.c.state == now.value)
            .order_by(jobs.c.finished_at, jobs.c.id)
        ).all()
        allowed = now is RunState.FAILED
        cause = next(row for row in ended if not (allowed and row.spec.get("allow_failure", False)))
        values |= {
            "reason": cause.reason,
            "detail": f"job {cause.name}: {cause.detail or cause.reason or now.value}",
        }
    move(connection, runs, RUN, run_id, _RUN_VERBS[now], **values)
    if now in RUN_ENDED:
        note_end(connection, run_id, now)


def queue_attempt(
    connection: Connection,
    run_id: int,
    job_id: int,
    labels: Iterable[str],
    number: int,
    start_timeout_s: int | None = None,
) -> None:
    """A new attempt, in the queue, with its log; it fails when no agent has it after `start_timeout_s`."""
    run = connection.execute(_RUN_RANK, {"run": run_id}).one()
    log_id = connection.execute(_NEW_LOG).scalar_one()
    connection.execute(
        _NEW_ATTEMPT,
        {
            "run_id": run_id,
            "job_id": job_id,
            "number": number,
            "project_id": run.project_id,
            "rank": -run.priority,
            "from_fork": run.from_fork,
            "log_id": log_id,
            "cookie": secrets.token_hex(16),
            "labels": "\n".join(sorted(set(labels))),
            "start_by": None if start_timeout_s is None else read_clock(connection) + start_timeout_s * 1000,
        },
    )


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
