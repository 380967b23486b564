"""A small world to test in: projects, plans, runs, agents, and attempts brought to any state. All are transactions."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select

from tailrace.domain.events import Event, EventKind
from tailrace.domain.facts import Finished, Started
from tailrace.domain.lease import Lease
from tailrace.domain.model import JobView, RunView
from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.plan import JobSpec, Plan, RunStep
from tailrace.domain.states import AttemptState
from tailrace.domain.trust import Taker
from tailrace.store.agents import add_agent_token, register_agent
from tailrace.store.clock import read_clock
from tailrace.store.facts import apply_fact
from tailrace.store.leases import Offer, lease_attempts
from tailrace.store.plans import create_plan, plan_source
from tailrace.store.projects import create_project
from tailrace.store.runs import NewRun, create_run, get_run
from tailrace.store.tables import attempt as attempts

LEASE_MS = 60_000
PUSH = Event(
    kind=EventKind.PUSH,
    ref="refs/heads/main",
    branch="main",
    revision="a" * 40,
    title="Fix it",
    author="Ada",
)


def a_job(name: str, needs: Iterable[str] = (), labels: Iterable[str] = ()) -> JobSpec:
    return JobSpec(
        name=name, needs=tuple(needs), labels=tuple(labels), steps=(RunStep(name="make", run="make"),)
    )


def a_project(connection: Connection, name: str | None = None) -> int:
    return create_project(connection, name or secrets.token_hex(8), "https://example.org/r.git").id


def a_plan(connection: Connection, project_id: int | None = None, name: str = "default") -> int:
    project_id = project_id or a_project(connection)
    return create_plan(connection, project_id, name, definition="jobs: {}").id


def planned(*specs: JobSpec, **terms: Any) -> Plan:
    """A plan of these jobs; `terms` are its priority, concurrency and the like."""
    return Plan(jobs={spec.name: spec for spec in specs}, **terms)


def new_run(
    connection: Connection,
    specs: Sequence[JobSpec] | None,
    *,
    plan_id: int | None = None,
    event: Event = PUSH,
    delivery_id: int | None = None,
    plan: Plan | None = None,
) -> NewRun:
    source = plan_source(connection, plan_id or a_plan(connection))
    return NewRun(
        plan_id=source.plan_id,
        project_id=source.project_id,
        event=event,
        trigger_kind="webhook",
        trigger_by="Ada",
        delivery_id=delivery_id,
        plan_version_id=source.version_id,
        planned=plan or (None if specs is None else planned(*specs)),
    )


def a_run(connection: Connection, *specs: JobSpec, plan_id: int | None = None, event: Event = PUSH) -> int:
    """A run with these jobs (one job `test` where none is given)."""
    return create_run(
        connection, new_run(connection, specs or (a_job("test"),), plan_id=plan_id, event=event)
    )


def a_planning_run(connection: Connection, *, plan_id: int | None = None, event: Event = PUSH) -> int:
    return create_run(connection, new_run(connection, None, plan_id=plan_id, event=event))


def an_agent(connection: Connection, *labels: str, name: str = "host-1") -> int:
    token = secrets.token_hex(32)
    add_agent_token(connection, token, (), 60_000)
    return register_agent(
        connection,
        token,
        secrets.token_hex(32),
        name=name,
        labels=labels,
        capacity=4,
        version="1",
    )


def lease(
    connection: Connection, agent_id: int, *labels: str, free: int = 1, lease_ms: int = LEASE_MS
) -> list[Lease]:
    """What the agent gets when it asks for so many attempts; `lease_ms` below 0 makes leases that have lapsed."""
    granted = lease_attempts(connection, [Offer(agent_id, Taker(frozenset(labels)), free)], lease_ms)
    return [grant.lease for grant in granted]


def start(connection: Connection, agent_id: int, attempt_id: int) -> None:
    apply_fact(connection, agent_id, attempt_id, Started(time=read_clock(connection)))


def finished(
    state: AttemptState = AttemptState.PASSED, time: int = 2**50, detail: str | None = None
) -> Finished:
    """The last fact of an attempt that ended so."""
    if state is AttemptState.PASSED:
        outcome = Outcome(state=state, exit_code=0)
    elif state is AttemptState.FAILED:
        outcome = Outcome(
            state=state, reason=Reason.EXIT_CODE, detail=detail or "it ended with 2", exit_code=2
        )
    else:
        outcome = Outcome(state=state, reason=Reason.ABORTED_BY, detail=detail or "aborted by Ada")
    return Finished(time=time, outcome=outcome, size=0, crc32=0)


def finish(
    connection: Connection, agent_id: int, attempt_id: int, state: AttemptState = AttemptState.PASSED
) -> bool:
    return apply_fact(connection, agent_id, attempt_id, finished(state)).queued


def jobs_by_name(connection: Connection, run_id: int) -> dict[str, JobView]:
    return {job.name: job for job in get_run(connection, run_id).jobs}


def states(run: RunView) -> dict[str, str]:
    """The state of the run (under "run") and of each of its jobs."""
    return {"run": run.state, **{job.name: job.state for job in run.jobs}}


def attempt_state(connection: Connection, attempt_id: int) -> AttemptState:
    return AttemptState(
        connection.execute(select(attempts.c.state).where(attempts.c.id == attempt_id)).scalar_one()
    )
