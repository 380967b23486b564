"""Triggers: made, changed, enabled, found by what they listen to, and claimed when they are due."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, case, insert, select, update

from tailrace.domain.errors import Conflict, NotFound
from tailrace.domain.text import storable
from tailrace.domain.triggers import (
    TriggerKind,
    TriggerSettings,
    TriggerView,
    looks_elsewhere,
    read_settings,
)
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.plans import get_plan
from tailrace.store.tables import plan as plans
from tailrace.store.tables import project as projects
from tailrace.store.tables import trigger as triggers
from tailrace.store.tables import trigger_scheduled

_LIVE = triggers.c.removed_at.is_(None) & plans.c.removed_at.is_(None) & projects.c.removed_at.is_(None)
_TRIGGERS = (
    select(triggers, projects.c.name.label("project_name"), plans.c.name.label("plan_name"))
    .join(plans, plans.c.id == triggers.c.plan_id)
    .join(projects, projects.c.id == triggers.c.project_id)
    .where(_LIVE)
)
_LISTENING = _TRIGGERS.where(
    triggers.c.project_id == bindparam("project"),
    triggers.c.kind.in_(bindparam("kinds", expanding=True)),
).order_by(triggers.c.id)


class DueTrigger(NamedTuple):
    """A claimed trigger: what to look at, and what it remembers of the last time (None: it begins anew)."""

    view: TriggerView
    repository: str
    seen: Any


def add_trigger(
    connection: Connection, plan_id: int, name: str, settings: TriggerSettings, *, enabled: bool = True
) -> TriggerView:
    """A new trigger of the plan; what is not a webhook is due at once. Raises NotFound, or Conflict when the name is taken."""
    plan = get_plan(connection, plan_id)
    _refuse_taken(connection, plan_id, name)
    id = connection.execute(
        insert(triggers)
        .values(
            project_id=plan.project,
            plan_id=plan_id,
            name=name,
            kind=settings.kind,
            settings=_stored(settings),
            enabled=enabled,
            next_at=now_ms() if enabled and _is_scheduled(settings.kind) else None,
            created_at=now_ms(),
        )
        .returning(triggers.c.id)
    ).scalar_one()
    return get_trigger(connection, id)


def change_trigger(
    connection: Connection, id: int, *, name: str | None = None, settings: TriggerSettings | None = None
) -> TriggerView:
    """Change what is given; it forgets what it has seen when it looks at something else.

    Raises NotFound, Conflict (also for another kind).
    """
    trigger = get_trigger(connection, id)
    values: dict[str, Any] = {}
    if name is not None and name != trigger.name:
        _refuse_taken(connection, trigger.plan, name)
        values["name"] = name
    if settings is not None and settings != trigger.settings:
        if settings.kind != trigger.kind:
            raise Conflict(
                f"trigger {id} is of kind {trigger.kind.value}: it cannot become one of kind {settings.kind};"
                " add another trigger and remove this one"
            )
        values |= {"settings": _stored(settings), "failures": 0}
        values |= {"claimed_until": None, "claimed_by": None}  # who looks now goes by the old ones
        elsewhere = looks_elsewhere(trigger.settings, settings)
        if elsewhere:
            values["seen"] = None
        # A tick whose time has not come stays where it is.
        if (
            trigger.enabled
            and _is_scheduled(trigger.kind)
            and (elsewhere or trigger.kind != TriggerKind.CRON)
        ):
            values["next_at"] = now_ms()
    if values:
        connection.execute(update(triggers).where(triggers.c.id == id).values(values))
    return get_trigger(connection, id)


def set_enabled(connection: Connection, id: int, enabled: bool, *, by: str, why: str | None) -> TriggerView:
    """Enable or disable, and note who did and why; what is enabled is due at once, and makes up for nothing. Raises NotFound.

    What is enabled already stays as it is.
    """
    trigger = get_trigger(connection, id)
    if enabled and trigger.enabled:
        return trigger
    values: dict[str, Any] = {"enabled": enabled, "mode_by": by, "mode_why": why, "mode_at": now_ms()}
    if not enabled:
        values |= {"next_at": None, "claimed_until": None, "claimed_by": None}
    elif _is_scheduled(trigger.kind):
        values |= {"next_at": now_ms(), "seen": None}
    connection.execute(update(triggers).where(triggers.c.id == id).values(values))
    return get_trigger(connection, id)


def check_now(connection: Connection, id: int) -> TriggerView:
    """Have it looked at as soon as a server can. Raises NotFound, or Conflict for what is never looked at."""
    trigger = get_trigger(connection, id)
    if trigger.kind in (TriggerKind.WEBHOOK, TriggerKind.CRON):
        raise Conflict(f"trigger {id} is of kind {trigger.kind.value}: there is nothing to look at")
    if not trigger.enabled:
        raise Conflict(f"trigger {id} is disabled: enable it first")
    connection.execute(update(triggers).where(triggers.c.id == id).values(next_at=now_ms()))
    return get_trigger(connection, id)


def remove_trigger(connection: Connection, id: int) -> None:
    """Mark it as removed; its runs stay. Raises NotFound."""
    get_trigger(connection, id)
    connection.execute(update(triggers).where(triggers.c.id == id).values(removed_at=now_ms(), next_at=None))


def get_trigger(connection: Connection, id: int) -> TriggerView:
    """Raises NotFound."""
    row = connection.execute(_TRIGGERS.where(triggers.c.id == id)).first()
    if row is None:
        raise NotFound("trigger", id)
    return _view(row)


def list_triggers(
    connection: Connection,
    project_id: int | None = None,
    plan_id: int | None = None,
    kind: TriggerKind | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[TriggerView]:
    """Triggers with ids above `after`, oldest first."""
    query = _TRIGGERS.where(triggers.c.id > after).order_by(triggers.c.id).limit(limit)
    for column, value in (
        (triggers.c.project_id, project_id),
        (triggers.c.plan_id, plan_id),
        (triggers.c.kind, kind),
    ):
        if value is not None:
            query = query.where(column == value)
    return [_view(row) for row in connection.execute(query)]


def listening_triggers(
    connection: Connection, project_id: int, kinds: Collection[TriggerKind]
) -> list[TriggerView]:
    """All triggers of these kinds in the project, the disabled ones too, oldest first."""
    found = connection.execute(_LISTENING, {"project": project_id, "kinds": list(kinds)})
    return [_view(row) for row in found]


def claim_due(
    connection: Connection, by: str, claim_ms: int, limit: int, kinds: Collection[TriggerKind]
) -> list[DueTrigger]:
    """Claim up to `limit` triggers whose time has come, those that wait longest first; a claim that runs out is free again."""
    now = read_clock(connection)
    free = triggers.c.claimed_until.is_(None) | (triggers.c.claimed_until < now)
    due = (
        select(triggers.c.id)
        .join(plans, plans.c.id == triggers.c.plan_id)
        .join(projects, projects.c.id == triggers.c.project_id)
        .where(_LIVE, trigger_scheduled, triggers.c.next_at <= now, triggers.c.enabled, free)
        .where(triggers.c.kind.in_(kinds))
        .order_by(triggers.c.next_at)
        .limit(limit)
        .with_for_update(of=triggers, skip_locked=True)
    )
    ids = list(connection.execute(due).scalars())
    if not ids:
        return []
    claimed = update(triggers).where(triggers.c.id.in_(ids))
    connection.execute(claimed.values(claimed_until=now + claim_ms, claimed_by=by))
    rows = connection.execute(
        _TRIGGERS.add_columns(projects.c.repository)
        .where(triggers.c.id.in_(ids))
        .order_by(triggers.c.next_at)
    )
    return [DueTrigger(_view(row), row.repository, row.seen) for row in rows]


def settle(
    connection: Connection,
    id: int,
    by: str,
    *,
    next_at: int | None,
    seen: Any,
    error: str | None = None,
    detail: str | None = None,
    was_due: int | None = None,
) -> bool:
    """End `by`'s claim with what came of it, in the transaction that makes the runs.

    False when the claim is another's by now, or was taken back (disabled, changed, removed): nothing was changed, and no run may
    come of it. `error` None: it went well, and `detail` says how. `next_at` in ms since the epoch; where somebody asked for another
    look during this one, so that it is not `was_due` any more, it stays.
    """
    asked_since = triggers.c.next_at != was_due
    said = detail if error is None else error
    values: dict[str, Any] = {
        "next_at": next_at if was_due is None else case((asked_since, triggers.c.next_at), else_=next_at),
        "seen": seen,
        "claimed_until": None,
        "claimed_by": None,
        "last_at": now_ms(),
        "last_state": "ok" if error is None else "error",
        "last_detail": None if said is None else storable(said),
        "failures": 0 if error is None else triggers.c.failures + 1,
    }
    held = (triggers.c.id == id) & (triggers.c.claimed_by == by) & triggers.c.removed_at.is_(None)
    return connection.execute(update(triggers).where(held).values(values)).rowcount == 1


def _is_scheduled(kind: str) -> bool:
    return kind != TriggerKind.WEBHOOK


def _refuse_taken(connection: Connection, plan_id: int, name: str) -> None:
    taken = select(triggers.c.id).where(
        triggers.c.plan_id == plan_id, triggers.c.name == name, triggers.c.removed_at.is_(None)
    )
    if connection.execute(taken).first():
        raise Conflict(
            f"this plan has a trigger {name!r} already: choose another name, or change that trigger"
        )


def _stored(settings: TriggerSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude={"kind"})


def _view(row: Row[*tuple[object, ...]]) -> TriggerView:
    return TriggerView(
        id=row.id,
        project=row.project_id,
        project_name=row.project_name,
        plan=row.plan_id,
        plan_name=row.plan_name,
        name=row.name,
        kind=row.kind,
        settings=read_settings(row.kind, row.settings),
        enabled=row.enabled,
        mode_by=row.mode_by,
        mode_why=row.mode_why,
        mode_at=row.mode_at,
        next_at=row.next_at,
        last_at=row.last_at,
        last_state=row.last_state,
        last_detail=row.last_detail,
        failures=row.failures,
        created_at=row.created_at,
    )
