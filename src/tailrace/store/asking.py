"""Asking people: what waits for an approval, from the moment that nothing else holds it back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, exists, insert, select, update

from tailrace.domain.approvals import ApprovalState, refusal
from tailrace.domain.states import AttemptState
from tailrace.store.clock import now_ms
from tailrace.store.outbox import note_waiting
from tailrace.store.outdated import asked_since, outdated_by
from tailrace.store.tables import approval as approvals
from tailrace.store.tables import approval_open
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import environment as environments
from tailrace.store.tables import job as jobs
from tailrace.store.tables import run as runs
from tailrace.store.turns import lock_group

_DONE = exists().where(
    attempts.c.job_id == approvals.c.job_id,
    attempts.c.state == AttemptState.PASSED.value,
    attempts.c.finished_at >= approvals.c.at,
)
"""What was approved has been done: to do it once more is another question."""
_ASKED = (
    select(approvals.c.job_id, approvals.c.state)
    .where(approvals.c.run_id == bindparam("run"), ~_DONE)
    .order_by(approvals.c.id)
)
_NAMES = select(jobs.c.id, jobs.c.name).where(jobs.c.id.in_(bindparam("jobs", expanding=True)))
_ASK = insert(approvals).values(state=ApprovalState.OPEN.value, asked_at=now_ms()).returning(approvals.c.id)
_OPEN = select(approvals.c.job_id, approvals.c.id).where(
    approval_open, approvals.c.run_id == bindparam("run")
)
_ABOUT = select(runs.c.project_id, runs.c.ref, runs.c.branch, runs.c.from_fork).where(
    runs.c.id == bindparam("run")
)
_QUESTIONS = select(runs.c.plan_id, runs.c.ref).where(runs.c.id == bindparam("run"))
_ENVIRONMENTS = select(environments).where(
    environments.c.project_id == bindparam("project"),
    environments.c.name.in_(bindparam("names", expanding=True)),
)


_SETTLED = (ApprovalState.OPEN, ApprovalState.APPROVED)
"""What was approved stays approved for other attempts; what was rejected and is tried again is asked again."""


class Gate(NamedTuple):
    """Jobs that have to wait for an approval, and jobs that their environment does not take, each with a sentence."""

    waiting: frozenset[int]
    refused: Mapping[int, str]


NO_GATE = Gate(frozenset(), {})


class RunGate(NamedTuple):
    """Whether a run `waits`; the runs that are `outdated`, itself perhaps, because people are asked about `newer` instead."""

    waits: bool
    outdated: Sequence[int] = ()
    newer: int = 0


def at_run_gate(connection: Connection, run_id: int) -> RunGate:
    """Whether a run from a fork still waits for its approval; asks for it when nobody has, unless it is outdated."""
    last = _last(connection, run_id)
    state = last.get(None)
    if state in _SETTLED:
        return RunGate(state != ApprovalState.APPROVED)
    _lock_questions(connection, run_id)
    if None not in last and (newer := asked_since(connection, run_id)) is not None:
        return RunGate(True, (run_id,), newer)
    _ask(connection, run_id, "the run is of a fork's commit: somebody has to allow it")
    return RunGate(True, outdated_by(connection, run_id), run_id)


def at_gate(connection: Connection, run_id: int, wanting: Mapping[int, str]) -> Gate:
    """Of jobs that could begin, each with its environment: which may not yet, and which never. Asks for approvals.

    An environment that nobody set up holds nothing back.
    """
    run = connection.execute(_ABOUT, {"run": run_id}).one()
    wanted = {"project": run.project_id, "names": sorted(set(wanting.values()))}
    known = {row.name: row for row in connection.execute(_ENVIRONMENTS, wanted)}
    last = _last(connection, run_id)
    waiting: set[int] = set()
    refused: dict[int, str] = {}
    to_ask: dict[int, Row[*tuple[Any, ...]]] = {}
    for job, name in wanting.items():
        row = known.get(name)
        why = None
        if row is not None:
            why = refusal(name, row.branches, ref=run.ref, branch=run.branch, from_fork=run.from_fork)
        if why is not None:
            refused[job] = why
        elif row is not None and row.approval:
            if last.get(job) not in _SETTLED:
                to_ask[job] = row
            if last.get(job) != ApprovalState.APPROVED:
                waiting.add(job)
        elif last.get(job) == ApprovalState.OPEN:  # it was asked when that was still wanted
            waiting.add(job)
    names = {one.id: one.name for one in connection.execute(_NAMES, {"jobs": list(to_ask)})} if to_ask else {}
    for job, row in to_ask.items():
        detail = f"job {names[job]} wants to go to environment {row.name}: somebody has to allow it"
        _ask(connection, run_id, detail, job, row.name, row.approvers)
    return Gate(frozenset(waiting), refused)


def withdraw(connection: Connection, run_id: int, only: Collection[int] | None = None) -> None:
    """What was asked for this run, or for these jobs of it, need not be decided any more."""
    wanted = [approval_open, approvals.c.run_id == run_id]
    if only is not None:
        wanted.append(approvals.c.job_id.in_(only))
    connection.execute(
        update(approvals).where(*wanted).values(state=ApprovalState.WITHDRAWN.value, at=now_ms())
    )


def open_approvals(connection: Connection, run_id: int) -> dict[int | None, int]:
    """The approvals that are still asked for: by the job's id, None for the whole run."""
    return {row.job_id: row.id for row in connection.execute(_OPEN, {"run": run_id})}


def _ask(
    connection: Connection,
    run_id: int,
    detail: str,
    job_id: int | None = None,
    environment: str | None = None,
    approvers: Sequence[str] | None = None,
) -> None:
    asked = {"run_id": run_id, "job_id": job_id, "environment": environment, "approvers": approvers}
    id = connection.execute(_ASK, asked).scalar_one()
    note_waiting(connection, run_id, f"approval/{id}", detail)


def _lock_questions(connection: Connection, run_id: int) -> None:
    """Two commits of one pull request that ask at the same moment do so one after the other: each else sees no question but its
    own."""
    plan, ref = connection.execute(_QUESTIONS, {"run": run_id}).one()
    lock_group(connection, f"questions of plan {plan}: {ref or ''}")


def _last(connection: Connection, run_id: int) -> dict[int | None, str]:
    """What became of the last question about each job, None for the whole run."""
    return {row.job_id: row.state for row in connection.execute(_ASKED, {"run": run_id})}
