"""Plans that a repository holds and nobody had to add: `.tailrace.yml`, and each file in `.tailrace/`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from sqlalchemy import Connection, or_, select, update

from tailrace.domain.events import Event
from tailrace.store.clock import read_clock
from tailrace.store.plans import REPOSITORY_PLAN, create_plan
from tailrace.store.runs import NewRun, create_run
from tailrace.store.tables import plan as plans
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs
from tailrace.store.tables import trigger as triggers

PLANS_FOLDER = ".tailrace"
MAX_FOUND = 50
"""Plans of one project; more are made by people."""
DEFAULT_NAME = "default"


def plan_files(listed: Sequence[str]) -> tuple[str, ...]:
    """Those among a repository's files that are plans, in order of their names."""
    return tuple(
        path
        for path in sorted(listed)
        if path == REPOSITORY_PLAN or PurePosixPath(path).suffix in (".yml", ".yaml")
    )


def find_plans(connection: Connection, run_id: int, paths: Sequence[str], event: Event) -> list[int]:
    """Make a plan, and a run for `event`, of each of these files that is new to the project; the runs.

    `run_id` is the run by which they were found: the new ones have the same cause. A plan that a person removed is not made again.
    When the repository has plans, but not the one that was supposed, that one is removed.
    """
    cause = connection.execute(select(runs).where(runs.c.id == run_id)).one()
    # Locked, so that two events do not both make them.
    connection.execute(
        select(projects.c.id).where(projects.c.id == cause.project_id).with_for_update(key_share=True)
    )
    counts = or_(plans.c.removed_at.is_(None), plans.c.version_count > 0, ~plans.c.found)
    known = select(plans.c.path).where(
        plans.c.project_id == cause.project_id, plans.c.path.is_not(None), counts
    )
    there = set(connection.execute(known).scalars())
    made: list[int] = []
    for path in [path for path in paths if path not in there][: max(0, MAX_FOUND - len(there))]:
        plan = create_plan(
            connection,
            cause.project_id,
            _free_name(connection, cause.project_id, path),
            path=path,
            found=True,
        )
        trigger = connection.execute(select(triggers.c.id).where(triggers.c.plan_id == plan.id)).scalar()
        new = NewRun(
            plan_id=plan.id,
            project_id=cause.project_id,
            event=event,
            trigger_kind=cause.trigger_kind,
            trigger_by=cause.trigger_by,
            delivery_id=cause.delivery_id,
            trigger_id=trigger,
        )
        made.append(create_run(connection, new))
    if paths and REPOSITORY_PLAN not in paths:
        _forget_supposed(connection, cause.project_id)
    return made


def _forget_supposed(connection: Connection, project_id: int) -> None:
    """Remove the plan at `.tailrace.yml` that nobody has seen; it is found when the file comes."""
    supposed = (
        plans.c.project_id == project_id,
        plans.c.path == REPOSITORY_PLAN,
        plans.c.found,
        plans.c.version_count == 0,
        plans.c.removed_at.is_(None),
    )
    ids = list(connection.execute(select(plans.c.id).where(*supposed)).scalars())
    now = read_clock(connection)
    connection.execute(update(plans).where(plans.c.id.in_(ids)).values(removed_at=now))
    connection.execute(update(triggers).where(triggers.c.plan_id.in_(ids)).values(removed_at=now))


def _free_name(connection: Connection, project_id: int, path: str) -> str:
    """The file's own name without its ending, with a number where another plan has it."""
    stem = DEFAULT_NAME if path == REPOSITORY_PLAN else PurePosixPath(path).stem
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "-" for c in stem).lstrip("_.-")[:90]
    name = name or "plan"
    query = select(plans.c.name).where(plans.c.project_id == project_id, plans.c.removed_at.is_(None))
    taken = set(connection.execute(query).scalars())
    return next(
        one
        for one in (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
        if one not in taken
    )
