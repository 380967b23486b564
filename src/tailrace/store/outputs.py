"""What jobs give to those that need them, and what else their conditions may name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from tailrace.domain.branches import names_of
from tailrace.domain.lease import Need
from tailrace.domain.plan import JobSpec, needed_values
from tailrace.domain.references import Lookup
from tailrace.domain.states import JOB_ENDED
from tailrace.domain.values import RunValues
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import job as jobs
from tailrace.store.tables import plan as plans
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs

_GIVEN = (
    select(jobs.c.name, jobs.c.state, attempts.c.outputs)
    .outerjoin(attempts, attempts.c.job_id == jobs.c.id)
    .where(jobs.c.run_id == bindparam("run"), jobs.c.name.in_(bindparam("names", expanding=True)))
    .order_by(attempts.c.number)
)
_ENDED = select(jobs.c.name).where(
    jobs.c.run_id == bindparam("run"), jobs.c.state.in_([state.value for state in JOB_ENDED])
)
_RUN = (
    select(
        runs.c.branch,
        runs.c.from_fork,
        runs.c.trigger_event.label("event"),
        runs.c.ref,
        runs.c.revision,
        runs.c.variables,
        plans.c.name.label("plan"),
        projects.c.name.label("project"),
    )
    .join(projects, projects.c.id == runs.c.project_id)
    .join(plans, plans.c.id == runs.c.plan_id)
    .where(runs.c.id == bindparam("run"))
)


def read_needs(connection: Connection, run_id: int, job: JobSpec) -> dict[str, Need]:
    """Of the jobs that `job` needs, what its steps name; no query where they name nothing."""
    needed = needed_values(job)
    given = read_given(connection, run_id, needed) if needed else {}
    return {name: need.only(needed[name]) for name, need in given.items()}


def read_given(connection: Connection, run_id: int, names: Iterable[str]) -> dict[str, Need]:
    """How these jobs of a run stand, and what their newest attempts gave."""
    rows = connection.execute(_GIVEN, {"run": run_id, "names": list(names)})
    return {row.name: Need(outcome=row.state, outputs=row.outputs or {}) for row in rows}


def ended_jobs(connection: Connection, run_id: int) -> frozenset[str]:
    """The names of the jobs of a run for which no other has to wait any more, however they ended."""
    return frozenset(connection.execute(_ENDED, {"run": run_id}).scalars())


def values_for(connection: Connection, run_id: int, spec: Mapping[str, Any]) -> Lookup:
    """What the names in the condition of a job (its stored spec) stand for, but for the outcomes of jobs."""
    run = connection.execute(_RUN, {"run": run_id}).mappings().one()
    needs = read_given(connection, run_id, spec["needs"]) if spec["needs"] else {}
    variables = {**spec["variables"], **run["variables"]}
    own = {**run, **names_of(run["ref"], run["branch"], run["from_fork"])._asdict()}
    return RunValues(own, variables, needs, spec.get("matrix", {}), spec.get("matrices", {})).value
