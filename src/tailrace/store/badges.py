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


class Badged(NamedTuple):
    """The project that a badge is of."""

    id: int
    name: str


class BadgeFacts(NamedTuple):
    """`state` is passed or failed, None before any run ended so; of several plans: failed when one is."""

    name: str
    state: RunState | None


def find_badged(connection: Connection, key: str) -> Badged | None:
    """The project of that name or id."""
    live = select(projects.c.id, projects.c.name).where(projects.c.removed_at.is_(None))
    row = connection.execute(live.where(projects.c.name == key)).first()
    if row is None and key.isdecimal() and key.isascii() and len(key) < 18:
        row = connection.execute(live.where(projects.c.id == int(key))).first()
    return None if row is None else Badged(row.id, row.name)


def find_badge(connection: Connection, of: Badged, plan: str | None, branch: str | None) -> BadgeFacts:
    """How the newest run ended, of a plan or of each plan of a project, on a branch or any.

    Pull requests, tags and forks do not count. Raises NotFound for the plan.
    """
    own = run_of_own_branch if branch is None else run_of_branch(branch)
    newest = (
        select(runs.c.state)
        .where(runs.c.plan_id == plans.c.id, run_verdict, own)
        .order_by(runs.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    wanted = select(newest).where(plans.c.project_id == of.id, plans.c.removed_at.is_(None))
    found = connection.execute(wanted if plan is None else wanted.where(plans.c.name == plan)).scalars().all()
    if plan is not None and not found:
        raise NotFound("plan", plan[:100])
    state = next((one for one in (RunState.FAILED, RunState.PASSED) if one in found), None)
    return BadgeFacts(plan or of.name, state)
