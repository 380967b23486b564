"""Which text of a plan that lives in the repository is in force: that of its default branch, as far as it was seen."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select, update

from tailrace.domain.branches import own_branch
from tailrace.store.tables import plan as plans
from tailrace.store.tables import plan_version as versions
from tailrace.store.tables import run as runs


class Candidate(NamedTuple):
    """The plan, version, branch and commit of a run by which another text of its plan became known."""

    plan_id: int
    number: int
    branch: str
    revision: str


def candidate_of(connection: Connection, run_id: int) -> Candidate | None:
    """What may be in force now; None where it is already, and for runs of pull requests, tags, forks and plans kept here."""
    row = connection.execute(
        select(
            runs.c.plan_id,
            runs.c.ref,
            runs.c.branch,
            runs.c.revision,
            runs.c.from_fork,
            plans.c.in_force,
            versions.c.number,
        )
        .join(plans, plans.c.id == runs.c.plan_id)
        .join(versions, versions.c.id == runs.c.plan_version_id)
        .where(runs.c.id == run_id, plans.c.path.is_not(None))
    ).first()
    if row is None or row.number == row.in_force:
        return None
    branch = own_branch(row.ref, row.branch, row.from_fork)
    return None if branch is None else Candidate(row.plan_id, row.number, branch, row.revision)


def put_in_force(connection: Connection, plan_id: int, number: int) -> None:
    """The version of this number holds from now on."""
    connection.execute(update(plans).where(plans.c.id == plan_id).values(in_force=number))
