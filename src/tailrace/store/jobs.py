"""Jobs and their attempts: made, and moved on when others end."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from tailrace.domain.errors import NotFound
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import Concurrency, JobSpec
from tailrace.domain.progress import JobProgress, counted, progress, with_room
from tailrace.domain.states import (
    JOB,
    JOB_ENDED,
    RUN,
    RUN_ENDED,
    JobState,
    LogState,
    RunState,
    derive_run_state,
)
from tailrace.store.asking import NO_GATE, RunGate, at_gate, at_run_gate, withdraw
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.early_ends import end_early
from tailrace.store.job_turns import NO_LINE, next_jobs_in_turn, take_job_turns
from tailrace.store.moves import move, move_all
from tailrace.store.outbox import note_end, note_progress
from tailrace.store.outdated import is_asked
from tailrace.store.outputs import values_for
from tailrace.store.run_names import run_names
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import job as jobs
from tailrace.store.tables import log as logs
from tailrace.store.tables import run as runs
from tailrace.store.turns import next_in_turn, turn_of

_RUN_VERBS = {
    RunState.RUNNING: "start",
    RunState.PASSED: "pass",
    RunState.FAILED: "fail",
    RunState.ABORTED: "abort",
    RunState.SKIPPED: "skip",
}

_FAILS = ("fail", "give_up")

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
    """Move the waiting jobs on and derive the run's state; returns whether there is something for agents: attempts that were
    queued, or some that are to be ended.

    The caller holds the run's row (`lock_run`, or because it has just made it).
    """
    run = _locked(connection, run_id)
    before = RunState(run.state)
    waits = before is RunState.PENDING and turn_of(connection, run_id) is not None
    rows = connection.execute(_JOBS_OF_RUN, {"run": run_id}).all()
    ids = {row.name: row.id for row in rows}
    states = {row.name: JobState(row.state) for row in rows}
    specs = {row.name: row.spec for row in rows}
    found = [_progress_of(row.name, row.spec, states[row.name]) for row in rows]
    moves = progress(found, lambda name: values_for(connection, run_id, specs[name]))
    for name, reason, detail in moves.skipped:
        _skip(connection, ids[name], reason, detail)
        states[name] = JobState.SKIPPED
    if before is RunState.PENDING and not waits and run.from_fork and moves.ready:
        at = at_run_gate(connection, run_id)
        if run_id in _end_outdated(connection, run_id, at):
            return advance_run(connection, run_id)
        waits = at.waits
    ready = () if waits else moves.ready
    wanting = {ids[name]: specs[name]["environment"] for name in ready if specs[name].get("environment")}
    gate = at_gate(connection, run_id, wanting) if wanting else NO_GATE
    for job_id, why in gate.refused.items():
        _skip(connection, job_id, Reason.ENVIRONMENT_REFUSED, why)
    ready = tuple(name for name in ready if ids[name] not in gate.waiting and ids[name] not in gate.refused)
    grouped = {
        ids[name]: Concurrency.model_validate(specs[name]["concurrency"])
        for name in ready
        if specs[name].get("concurrency")
    }
    line = take_job_turns(connection, run_id, grouped) if grouped else NO_LINE
    if line.superseded:
        for other, ended, by in line.superseded:
            lock_run(connection, other)
            end_early(connection, other, by, Reason.SUPERSEDED_BY, only=ended)
            advance_run(connection, other)
        advance_run(connection, run_id)  # which they may have moved on
        return True
    ready = with_room(found, (name for name in ready if ids[name] not in line.waiting))
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
    if any(spec.get("concurrency") for spec in specs.values()):
        for next_id in next_jobs_in_turn(connection, run_id):
            queued |= advance_run(connection, next_id)
    return queued


def _end_outdated(connection: Connection, run_id: int, gate: RunGate) -> list[int]:
    """End what nobody need allow any more, but for what somebody has allowed meanwhile; the runs that ended."""
    by = f"run {run_names(connection, [gate.newer])[0]}" if gate.outdated else ""
    ended: list[int] = []
    for one in gate.outdated:
        lock_run(connection, one)
        if one == run_id or is_asked(connection, one):
            end_early(connection, one, by, Reason.SUPERSEDED_BY)
            ended.append(one)
            if one != run_id:
                advance_run(connection, one)
    return ended


def _progress_of(name: str, spec: Mapping[str, Any], state: JobState) -> JobProgress:
    return JobProgress(
        name,
        tuple(spec["needs"]),
        state,
        spec.get("condition", ""),
        spec.get("matrices", {}),
        spec.get("allow_failure", False),
        spec.get("matrix_of", ""),
        spec.get("max_parallel"),
    )


def _skip(connection: Connection, job_id: int, reason: Reason, detail: str) -> None:
    move(connection, jobs, JOB, job_id, "skip", reason=reason, detail=detail, finished_at=now_ms())


def end_job(
    connection: Connection, attempt: Row[*tuple[object, ...]], verb: str, cause: Mapping[str, object]
) -> bool:
    """A job's last attempt (a row of its table) has ended: so does the job, unless it is to be tried again.

    `cause` is its reason, detail and time. Returns what `advance_run` does. The caller holds the run's row.
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
    told = verb in _FAILS and _fail_fast(connection, attempt.run_id, attempt.job_id)
    return advance_run(connection, attempt.run_id) or told


def _fail_fast(connection: Connection, run_id: int, job_id: int) -> bool:
    """A job has failed: where its matrix wants that, the others of it end; returns whether some did, or will."""
    rows = connection.execute(_JOBS_OF_RUN, {"run": run_id}).all()
    (failed,) = (row for row in rows if row.id == job_id)
    if not failed.spec.get("fail_fast") or failed.spec.get("allow_failure"):
        return False
    matrix = failed.spec["matrix_of"]
    others = [row.id for row in rows if row.spec.get("matrix_of") == matrix and row.state not in JOB_ENDED]
    if others:
        by = f"job {failed.name}, which failed"
        end_early(connection, run_id, by, Reason.MATRIX_FAILED, only=others)
    return bool(others)


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
