"""The versions of a plan: listed, read, put in force again."""

from __future__ import annotations

from sqlalchemy import Connection, false, func, select

from tailrace.domain.errors import NotFound
from tailrace.domain.model import PlanVersionText, PlanVersionView, PlanView
from tailrace.store.plans import change_plan, get_plan
from tailrace.store.tables import plan as plans
from tailrace.store.tables import plan_version as versions
from tailrace.store.tables import run as runs

_SHOWN = (
    versions.c.id,
    versions.c.plan_id.label("plan"),
    versions.c.number,
    versions.c.author,
    versions.c.sha256,
    versions.c.ref,
    versions.c.revision,
    versions.c.from_fork,
    (versions.c.number == func.coalesce(plans.c.in_force, 0)).label("in_force"),
    versions.c.created_at,
)
_OF_PLANS = versions.join(plans, plans.c.id == versions.c.plan_id)


def list_versions(
    connection: Connection, plan_id: int, before: int | None = None, limit: int = 100
) -> list[PlanVersionView]:
    """The versions of a plan with numbers below `before`, newest first. Raises NotFound."""
    get_plan(connection, plan_id)
    query = select(*_SHOWN).select_from(_OF_PLANS).where(versions.c.plan_id == plan_id)
    if before is not None:
        query = query.where(versions.c.number < before)
    rows = connection.execute(query.order_by(versions.c.number.desc()).limit(limit)).mappings()
    return [PlanVersionView.model_validate(dict(row)) for row in rows]


def get_version(connection: Connection, plan_id: int, number: int) -> PlanVersionText:
    """A version with its text; raises NotFound."""
    plan = get_plan(connection, plan_id)
    query = (
        select(*_SHOWN, versions.c.definition)
        .select_from(_OF_PLANS)
        .where(versions.c.plan_id == plan_id, versions.c.number == number)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        count = connection.execute(select(plans.c.version_count).where(plans.c.id == plan_id)).scalar()
        raise NotFound("version", f"{number} of plan {plan.name!r}: it has {count}")
    return PlanVersionText.model_validate(dict(row))


def number_before(connection: Connection, plan_id: int, number: int) -> int | None:
    """The number of the version before this one, leaving out what was seen in forks alone; None where there is none."""
    query = select(func.max(versions.c.number)).where(
        versions.c.plan_id == plan_id, versions.c.number < number, versions.c.from_fork == false()
    )
    return connection.execute(query).scalar()


def restore_version(connection: Connection, plan_id: int, number: int, author: str) -> PlanView:
    """Put the text of a version in force again, as a new version.

    Raises NotFound, and Invalid for a plan of the repository, which says itself what is in force.
    """
    text = get_version(connection, plan_id, number).definition
    return change_plan(connection, plan_id, definition=text, author=author)


def definition_at(connection: Connection, plan_id: int, revision: str | None) -> str | None:
    """The text of a plan in the repository at a commit, where a run of that commit has read it."""
    if revision is None:
        return None
    read = (runs.c.plan_id == plan_id) & (runs.c.revision == revision)
    found = select(versions.c.definition).join(runs, runs.c.plan_version_id == versions.c.id)
    return connection.execute(found.where(read).limit(1)).scalar()
