"""The versions of a plan: listed, read, put in force again."""

from __future__ import annotations

from sqlalchemy import Connection, select

from tailrace.domain.errors import NotFound
from tailrace.domain.model import PlanVersionText, PlanVersionView, PlanView
from tailrace.store.plans import change_plan, get_plan
from tailrace.store.tables import plan_version as versions

_SHOWN = (
    versions.c.id,
    versions.c.plan_id.label("plan"),
    versions.c.number,
    versions.c.author,
    versions.c.sha256,
    versions.c.created_at,
)


def list_versions(
    connection: Connection, plan_id: int, before: int | None = None, limit: int = 100
) -> list[PlanVersionView]:
    """The versions of a plan with numbers below `before`, newest first. Raises NotFound."""
    get_plan(connection, plan_id)
    query = select(*_SHOWN).where(versions.c.plan_id == plan_id)
    if before is not None:
        query = query.where(versions.c.number < before)
    rows = connection.execute(query.order_by(versions.c.number.desc()).limit(limit)).mappings()
    return [PlanVersionView.model_validate(dict(row)) for row in rows]


def get_version(connection: Connection, plan_id: int, number: int) -> PlanVersionText:
    """A version with its text; raises NotFound."""
    plan = get_plan(connection, plan_id)
    query = select(*_SHOWN, versions.c.definition).where(
        versions.c.plan_id == plan_id, versions.c.number == number
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound("version", f"{number} of plan {plan.name!r}: it has {plan.version or 0}")
    return PlanVersionText.model_validate(dict(row))


def restore_version(connection: Connection, plan_id: int, number: int, author: str) -> PlanView:
    """Put the text of a version in force again, as a new version.

    Raises NotFound, and Invalid for a plan of the repository, which says itself what is in force.
    """
    text = get_version(connection, plan_id, number).definition
    return change_plan(connection, plan_id, definition=text, author=author)
