"""Rules: of which runs a channel tells what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from tailrace.domain.channels import FORGES
from tailrace.domain.errors import Conflict, NotFound
from tailrace.domain.notifications import RuleView, When
from tailrace.store.channels import get_channel
from tailrace.store.clock import read_clock
from tailrace.store.plans import get_plan
from tailrace.store.projects import get_project
from tailrace.store.tables import channel as channels
from tailrace.store.tables import plan as plans
from tailrace.store.tables import project as projects
from tailrace.store.tables import rule as rules


def add_rule(
    connection: Connection,
    channel_id: int,
    *,
    project_id: int | None,
    plan_id: int | None,
    on: Sequence[When],
    branches: Sequence[str] | None,
    author: str,
) -> RuleView:
    """A new rule; a plan's project need not be named. Raises NotFound, and Conflict for what does not fit together."""
    channel = get_channel(connection, channel_id)
    if channel.kind in FORGES:
        raise Conflict(
            f"channel {channel_id} sets commit statuses, for all runs of its project: it has no rules"
        )
    if plan_id is not None:
        of_plan = get_plan(connection, plan_id).project
        if project_id not in (None, of_plan):
            raise Conflict(f"plan {plan_id} belongs to project {of_plan}, not to project {project_id}")
        project_id = of_plan
    elif project_id is not None:
        get_project(connection, project_id)
    if channel.project is not None and channel.project != project_id:
        raise Conflict(
            f"channel {channel_id} belongs to project {channel.project}: only its rules may use it"
        )
    id = connection.execute(
        insert(rules)
        .values(
            channel_id=channel_id,
            project_id=project_id,
            plan_id=plan_id,
            on=list(on),
            branches=None if branches is None else list(branches),
            author=author,
            created_at=read_clock(connection),
        )
        .returning(rules.c.id)
    ).scalar_one()
    return get_rule(connection, id)


def change_rule(connection: Connection, id: int, **values: Any) -> RuleView:
    """Set `on`, `branches` or `enabled`; raises NotFound."""
    get_rule(connection, id)
    if values:
        connection.execute(update(rules).where(rules.c.id == id).values(values))
    return get_rule(connection, id)


def remove_rule(connection: Connection, id: int) -> None:
    """Mark a rule as removed; raises NotFound."""
    get_rule(connection, id)
    connection.execute(update(rules).where(rules.c.id == id).values(removed_at=read_clock(connection)))


def get_rule(connection: Connection, id: int) -> RuleView:
    """Raises NotFound."""
    row = connection.execute(_shown().where(rules.c.id == id)).first()
    if row is None:
        raise NotFound("notification rule", id)
    return _view(row)


def list_rules(
    connection: Connection,
    *,
    project_id: int | None = None,
    channel_id: int | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[RuleView]:
    """Rules with ids above `after`, oldest first; of a project: those that are for its runs."""
    wanted = _shown().where(rules.c.id > after)
    if project_id is not None:
        wanted = wanted.where(rules.c.project_id.is_(None) | (rules.c.project_id == project_id))
    if channel_id is not None:
        wanted = wanted.where(rules.c.channel_id == channel_id)
    return [_view(row) for row in connection.execute(wanted.order_by(rules.c.id).limit(limit))]


def _shown() -> Select[*tuple[Any, ...]]:
    return (
        select(
            rules,
            channels.c.name.label("channel_name"),
            projects.c.name.label("project_name"),
            plans.c.name.label("plan_name"),
        )
        .join(channels, channels.c.id == rules.c.channel_id)
        .outerjoin(projects, projects.c.id == rules.c.project_id)
        .outerjoin(plans, plans.c.id == rules.c.plan_id)
        .where(rules.c.removed_at.is_(None))
    )


def _view(row: Row[*tuple[Any, ...]]) -> RuleView:
    return RuleView(
        id=row.id,
        channel=row.channel_id,
        channel_name=row.channel_name,
        project=row.project_id,
        project_name=row.project_name,
        plan=row.plan_id,
        plan_name=row.plan_name,
        on=tuple(row.on),
        branches=None if row.branches is None else tuple(row.branches),
        enabled=row.enabled,
        author=row.author,
        created_at=row.created_at,
    )
