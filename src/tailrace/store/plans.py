"""Plans and their immutable versions. Every edit makes a new version; a run names its version."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from sqlalchemy import Connection, Select, bindparam, insert, select, update

from tailrace.domain.errors import Conflict, Invalid, NotFound
from tailrace.domain.model import PlanView
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.projects import get_project
from tailrace.store.tables import plan as plans
from tailrace.store.tables import plan_version as versions
from tailrace.store.tables import project as projects
from tailrace.store.tables import trigger as triggers

REPOSITORY_PLAN = ".tailrace.yml"


def _all_plans() -> Select[*tuple[object, ...]]:
    in_force = (versions.c.plan_id == plans.c.id) & (versions.c.number == plans.c.in_force)
    return (
        select(
            plans,
            projects.c.name.label("project_name"),
            projects.c.repository,
            versions.c.id.label("version_id"),
            versions.c.number,
            versions.c.definition,
        )
        .join(projects, projects.c.id == plans.c.project_id)
        .outerjoin(versions, in_force)
    )


def _plans() -> Select[*tuple[object, ...]]:
    return _all_plans().where(plans.c.removed_at.is_(None), projects.c.removed_at.is_(None))


# What every run asks is built once: building a statement takes longer than executing it.
_THIS_PLAN = _plans().where(plans.c.id == bindparam("plan"))


class PlanSource(NamedTuple):
    """Where a plan's definition comes from: the repository at `path`, or here (`version_id`, `definition`)."""

    plan_id: int
    project_id: int
    repository: str
    path: str | None
    version_id: int | None
    definition: str | None


class Seen(NamedTuple):
    """Where in the repository a text of a plan was seen."""

    ref: str | None
    revision: str | None
    from_fork: bool
    author: str | None


def create_plan(
    connection: Connection,
    project_id: int,
    name: str,
    *,
    definition: str | None = None,
    path: str | None = None,
    author: str | None = None,
    found: bool = False,
) -> PlanView:
    """A new plan with a webhook trigger; exactly one of `definition` and `path` is given. `found`: nobody asked for it.

    Raises NotFound for an unknown project and Conflict when the name is taken.
    """
    if (definition is None) == (path is None):
        raise Invalid("a plan has either a `definition` (kept here) or a `path` (a file in the repository)")
    get_project(connection, project_id)
    taken = select(plans.c.id).where(
        plans.c.project_id == project_id, plans.c.name == name, plans.c.removed_at.is_(None)
    )
    if connection.execute(taken).first():
        raise Conflict(f"this project has a plan {name!r} already: choose another name, or change that plan")
    plan_id = connection.execute(
        insert(plans)
        .values(project_id=project_id, name=name, path=path, found=found, created_at=now_ms())
        .returning(plans.c.id)
    ).scalar_one()
    connection.execute(
        insert(triggers).values(
            project_id=project_id, plan_id=plan_id, kind="webhook", enabled=True, created_at=now_ms()
        )
    )
    if definition is not None:
        _put_new_in_force(connection, plan_id, definition, author)
    return get_plan(connection, plan_id)


def add_version(connection: Connection, plan_id: int, definition: str, seen: Seen) -> int:
    """The id of the version with this definition of a plan in the repository: the one that has it already, or a new one.

    Which is in force does not change by it: see store/in_force.py.
    """
    connection.execute(select(plans.c.id).where(plans.c.id == plan_id).with_for_update(key_share=True))
    same = select(versions.c.id, versions.c.from_fork).where(
        versions.c.plan_id == plan_id, versions.c.sha256 == _sha256(definition)
    )
    found = connection.execute(same.order_by(versions.c.id.desc()).limit(1)).first()
    if found is None:
        return _append_version(connection, plan_id, definition, seen).id
    if found.from_fork and not seen.from_fork:  # it is a stranger's no more
        connection.execute(update(versions).where(versions.c.id == found.id).values(seen._asdict()))
    return found.id


def change_plan(
    connection: Connection,
    id: int,
    *,
    name: str | None = None,
    definition: str | None = None,
    author: str | None = None,
) -> PlanView:
    """Rename a plan or give it a new version; raises NotFound, Conflict, or Invalid for a plan of the repository."""
    plan = get_plan(connection, id)
    if name is not None and name != plan.name:
        taken = select(plans.c.id).where(
            plans.c.project_id == plan.project, plans.c.name == name, plans.c.removed_at.is_(None)
        )
        if connection.execute(taken).first():
            raise Conflict(f"this project has a plan {name!r} already: choose another name")
        connection.execute(update(plans).where(plans.c.id == id).values(name=name))
    if definition is not None:
        if plan.path is not None:
            raise Invalid(f"plan {plan.name!r} is kept in the repository at {plan.path}: change it there")
        if definition != plan.definition:
            # Going back to an earlier text is an edit too: the newest version is the one in force.
            _put_new_in_force(connection, id, definition, author)
    return get_plan(connection, id)


class _Version(NamedTuple):
    id: int
    number: int


def _put_new_in_force(connection: Connection, plan_id: int, definition: str, author: str | None) -> None:
    new = _append_version(connection, plan_id, definition, Seen(None, None, False, author))
    connection.execute(update(plans).where(plans.c.id == plan_id).values(in_force=new.number))


def _append_version(connection: Connection, plan_id: int, definition: str, seen: Seen) -> _Version:
    number = connection.execute(
        update(plans)
        .where(plans.c.id == plan_id)
        .values(version_count=plans.c.version_count + 1)
        .returning(plans.c.version_count)
    ).scalar_one()
    id = connection.execute(
        insert(versions)
        .values(
            plan_id=plan_id,
            number=number,
            definition=definition,
            sha256=_sha256(definition),
            created_at=now_ms(),
            **seen._asdict(),
        )
        .returning(versions.c.id)
    ).scalar_one()
    return _Version(id, number)


def _sha256(definition: str) -> str:
    return hashlib.sha256(definition.encode()).hexdigest()


def remove_plan(connection: Connection, id: int) -> None:
    """Mark a plan and its triggers as removed; its runs stay. Raises NotFound."""
    get_plan(connection, id)
    now = read_clock(connection)
    # Who removes a plan does not want it found again.
    connection.execute(update(plans).where(plans.c.id == id).values(removed_at=now, found=False))
    theirs = triggers.c.plan_id == id, triggers.c.removed_at.is_(None)
    connection.execute(update(triggers).where(*theirs).values(removed_at=now))


def restore_plan(connection: Connection, id: int) -> PlanView:
    """Bring a removed plan back, with the triggers that were removed with it.

    Raises NotFound, and Conflict when it is not removed, its project is, or another has its name now.
    """
    found = _list(connection, _all_plans().where(plans.c.id == id))
    if not found:
        raise NotFound("plan", id)
    plan = found[0]
    if plan.removed_at is None:
        raise Conflict(f"plan {plan.name!r} is not removed")
    connection.execute(
        select(projects.c.id).where(projects.c.id == plan.project).with_for_update(key_share=True)
    )
    gone = select(projects.c.removed_at).where(projects.c.id == plan.project)
    if connection.execute(gone).scalar() is not None:
        raise Conflict(f"project {plan.project_name!r} is removed: restore it first")
    taken = select(plans.c.id).where(
        plans.c.project_id == plan.project, plans.c.name == plan.name, plans.c.removed_at.is_(None)
    )
    if connection.execute(taken).first():
        raise Conflict(f"another plan is called {plan.name!r} now: rename that one first")
    together = triggers.c.plan_id == id, triggers.c.removed_at == plan.removed_at
    connection.execute(update(triggers).where(*together).values(removed_at=None))
    connection.execute(update(plans).where(plans.c.id == id).values(removed_at=None))
    return get_plan(connection, id)


def get_plan(connection: Connection, id: int) -> PlanView:
    """Raises NotFound."""
    found = _list(connection, _plans().where(plans.c.id == id))
    if not found:
        raise NotFound("plan", id)
    return found[0]


def list_plans(
    connection: Connection,
    project_id: int | None = None,
    after: int = 0,
    limit: int = 100,
    *,
    removed: bool = False,
    name: str | None = None,
) -> list[PlanView]:
    """Plans with ids above `after`, oldest first; or those that are `removed`; of this `name`, or of any."""
    which = _all_plans().where(plans.c.removed_at.is_not(None)) if removed else _plans()
    query = which.where(plans.c.id > after).order_by(plans.c.id).limit(limit)
    if project_id is not None:
        query = query.where(plans.c.project_id == project_id)
    if name is not None:
        query = query.where(plans.c.name == name)
    return _list(connection, query)


def find_plan(connection: Connection, project: str, name: str) -> PlanView | None:
    """The plan of that name in the project of that name."""
    found = _list(connection, _plans().where(projects.c.name == project, plans.c.name == name))
    return found[0] if found else None


def plan_source(connection: Connection, plan_id: int) -> PlanSource:
    """Where the plan's definition comes from; raises NotFound."""
    row = connection.execute(_THIS_PLAN, {"plan": plan_id}).first()
    if row is None:
        raise NotFound("plan", plan_id)
    if row.path is not None:
        return PlanSource(row.id, row.project_id, row.repository, row.path, None, None)
    return PlanSource(row.id, row.project_id, row.repository, None, row.version_id, row.definition)


def version_definition(connection: Connection, version_id: int) -> str:
    """The text of a plan version; raises NotFound."""
    text = connection.execute(select(versions.c.definition).where(versions.c.id == version_id)).scalar()
    if text is None:
        raise NotFound("plan version", version_id)
    return text


def webhook_plans(connection: Connection, project_id: int) -> list[PlanSource]:
    """The plans that a webhook of this project starts.

    A project that never had a plan follows its repository's plan file: the first event makes that plan.
    """
    ids = _webhook_triggers(connection, project_id)
    if not ids:
        # Locked, so that two first events do not both make it.
        connection.execute(
            select(projects.c.id).where(projects.c.id == project_id).with_for_update(key_share=True)
        )
        ids = _webhook_triggers(connection, project_id)
    if not ids and not _ever_had_a_plan(connection, project_id):
        ids = [(create_plan(connection, project_id, "default", path=REPOSITORY_PLAN, found=True).id, True)]
    return [plan_source(connection, plan_id) for plan_id, enabled in ids if enabled]


def _ever_had_a_plan(connection: Connection, project_id: int) -> bool:
    """One that was removed counts: who removes a project's plans wants no runs."""
    query = select(plans.c.id).where(plans.c.project_id == project_id).limit(1)
    return connection.execute(query).first() is not None


def _webhook_triggers(connection: Connection, project_id: int) -> list[tuple[int, bool]]:
    """Plans and whether their trigger is enabled."""
    rows = connection.execute(
        select(triggers.c.plan_id, triggers.c.enabled)
        .where(
            triggers.c.project_id == project_id, triggers.c.kind == "webhook", triggers.c.removed_at.is_(None)
        )
        .order_by(triggers.c.id)
    )
    return [(row.plan_id, row.enabled) for row in rows]


def _list(connection: Connection, query: Select[*tuple[object, ...]]) -> list[PlanView]:
    return [
        PlanView(
            id=row.id,
            project=row.project_id,
            project_name=row.project_name,
            name=row.name,
            path=row.path,
            version=row.number,
            definition=row.definition,
            created_at=row.created_at,
            removed_at=row.removed_at,
        )
        for row in connection.execute(query)
    ]
