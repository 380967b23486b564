"""What badges show: how the newest runs ended."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from tailrace.domain.errors import NotFound
from tailrace.domain.states import RunState
from tailrace.store.own_branches import run_of_branch, run_of_own_branch
from tailrace.store.tables import plan as plans
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs
from tailrace.store.tables import run_verdict


class BadgeFacts(NamedTuple):
    """`state` is passed or failed, None before any run ended so; of several plans: failed when one is."""

    project_id: int
    name: str
    state: RunState | None


def find_badge(connection: Connection, project: str, plan: str | None, branch: str | None) -> BadgeFacts:
    """How the newest run ended, of a plan or of each plan of a project (by name, or the project by id), on a branch or any.

    Pull requests, tags and forks do not count.

    Raises NotFound.
    """
    of_project = _find_project(connection, project)
    wanted = select(plans.c.id, plans.c.name).where(
        plans.c.project_id == of_project.project_id, plans.c.removed_at.is_(None)
    )
    found = connection.execute(wanted if plan is None else wanted.where(plans.c.name == plan)).all()
    if plan is not None and not found:
        raise NotFound("plan", plan[:100])
    states = {_newest(connection, row.id, branch) for row in found}
    state = next((one for one in (RunState.FAILED, RunState.PASSED) if one in states), None)
    return BadgeFacts(of_project.project_id, plan or of_project.name, state)


def _find_project(connection: Connection, key: str) -> BadgeFacts:
    live = select(projects.c.id, projects.c.name).where(projects.c.removed_at.is_(None))
    row = connection.execute(live.where(projects.c.name == key)).first()
    if row is None and key.isdecimal() and key.isascii() and len(key) < 18:
        row = connection.execute(live.where(projects.c.id == int(key))).first()
    if row is None:
        raise NotFound("project", key[:100])
    return BadgeFacts(row.id, row.name, None)


def _newest(connection: Connection, plan_id: int, branch: str | None) -> RunState | None:
    own = run_of_own_branch if branch is None else run_of_branch(branch)
    query = select(runs.c.state).where(runs.c.plan_id == plan_id, run_verdict, own)
    state = connection.execute(query.order_by(runs.c.id.desc()).limit(1)).scalar()
    return None if state is None else RunState(state)
