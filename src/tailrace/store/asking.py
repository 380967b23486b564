"""Asking people: what waits for an approval, from the moment that nothing else holds it back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from tailrace.domain.approvals import ApprovalState, refusal
from tailrace.store.clock import now_ms
from tailrace.store.outbox import note_waiting
from tailrace.store.tables import approval as approvals
from tailrace.store.tables import approval_open
from tailrace.store.tables import environment as environments
from tailrace.store.tables import run as runs

_LAST = (
    select(approvals.c.state)
    .where(approvals.c.run_id == bindparam("run"), approvals.c.job_id.is_not_distinct_from(bindparam("job")))
    .order_by(approvals.c.id.desc())
    .limit(1)
)
_ASK = insert(approvals).values(state=ApprovalState.OPEN.value, asked_at=now_ms()).returning(approvals.c.id)
_OPEN = select(approvals.c.job_id, approvals.c.id).where(
    approval_open, approvals.c.run_id == bindparam("run")
)
_ABOUT = select(runs.c.project_id, runs.c.ref, runs.c.branch, runs.c.from_fork).where(
    runs.c.id == bindparam("run")
)
_ENVIRONMENTS = select(environments).where(
    environments.c.project_id == bindparam("project"),
    environments.c.name.in_(bindparam("names", expanding=True)),
)


class Gate(NamedTuple):
    """Jobs that have to wait for an approval, and jobs that their environment does not take, each with a sentence."""

    waiting: frozenset[int]
    refused: Mapping[int, str]


NO_GATE = Gate(frozenset(), {})


def run_waits(connection: Connection, run_id: int) -> bool:
    """Whether a run from a fork still waits for its approval; asks for it when nobody has."""
    return _waits(connection, run_id, None, None)


def at_gate(connection: Connection, run_id: int, wanting: Mapping[int, str]) -> Gate:
    """Of jobs that could begin, each with its environment: which may not yet, and which never. Asks for approvals.

    An environment that nobody set up holds nothing back.
    """
    run = connection.execute(_ABOUT, {"run": run_id}).one()
    wanted = {"project": run.project_id, "names": sorted(set(wanting.values()))}
    known = {row.name: row for row in connection.execute(_ENVIRONMENTS, wanted)}
    waiting: set[int] = set()
    refused: dict[int, str] = {}
    for job, name in wanting.items():
        row = known.get(name)
        why = None
        if row is not None:
            why = refusal(name, row.branches, ref=run.ref, branch=run.branch, from_fork=run.from_fork)
        if why is not None:
            refused[job] = why
        elif row is not None and row.approval:
            if _waits(connection, run_id, job, name):
                waiting.add(job)
        elif _last(connection, run_id, job) == ApprovalState.OPEN:  # it was asked when that was still wanted
            waiting.add(job)
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


def _waits(connection: Connection, run_id: int, job_id: int | None, environment: str | None) -> bool:
    """What was approved stays approved for other attempts; what was rejected and is tried again is asked again."""
    state = _last(connection, run_id, job_id)
    if state not in (ApprovalState.OPEN, ApprovalState.APPROVED):
        asked = {"run_id": run_id, "job_id": job_id, "environment": environment}
        id = connection.execute(_ASK, asked).scalar_one()
        note_waiting(connection, run_id, f"approval/{id}", _what_waits(environment))
    return state != ApprovalState.APPROVED


def _what_waits(environment: str | None) -> str:
    if environment is None:
        return "the run is of a fork's commit: somebody has to allow it"
    return f"a job wants to go to environment {environment}: somebody has to allow it"


def _last(connection: Connection, run_id: int, job_id: int | None) -> str | None:
    return connection.execute(_LAST, {"run": run_id, "job": job_id}).scalar()
