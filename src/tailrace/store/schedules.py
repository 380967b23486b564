"""`on.schedule` of a plan: each of its times is a cron trigger of the plan, which follows what the plan says."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from tailrace.domain.filters import On, Schedule
from tailrace.domain.triggers import CronSettings, TriggerKind, TriggerView
from tailrace.store.tables import trigger as triggers
from tailrace.store.triggers import add_trigger, get_trigger, remove_trigger

NAME = "on.schedule"
"""What such triggers are called; the second is `on.schedule.2`."""


def follow_schedule(connection: Connection, plan_id: int, on: On | None) -> bool:
    """Give a plan the cron triggers that its `on` asks for, and take those away that it no longer does; whether any changed.

    One that stays is not touched: who disabled it keeps it so.
    """
    wanted = [_settings(one) for one in (on.schedule if on else ())]
    there = scheduled(connection, plan_id)
    kept = [one for one in there if _key(one.settings) in map(_key, wanted)]
    for trigger in there:
        if trigger not in kept:
            remove_trigger(connection, trigger.id)
    missing = [one for one in wanted if _key(one) not in [_key(trigger.settings) for trigger in kept]]
    taken = {trigger.name for trigger in kept}
    for settings in dict.fromkeys(missing):
        name = _free(taken)
        taken.add(name)
        add_trigger(connection, plan_id, name, settings)
    return bool(missing) or len(kept) < len(there)


def scheduled(connection: Connection, plan_id: int) -> list[TriggerView]:
    """The cron triggers that a plan has by its `on.schedule`, oldest first."""
    query = select(triggers.c.id).where(
        triggers.c.plan_id == plan_id,
        triggers.c.kind == TriggerKind.CRON.value,
        triggers.c.name.startswith(NAME, autoescape=True),
        triggers.c.removed_at.is_(None),
    )
    ids: Sequence[int] = connection.execute(query.order_by(triggers.c.id)).scalars().all()
    return [get_trigger(connection, id) for id in ids]


def _settings(one: Schedule) -> CronSettings:
    return CronSettings(expression=one.cron, zone=one.zone or "UTC", branch=one.branch)


def _key(settings: object) -> tuple[str, str, str | None] | None:
    if not isinstance(settings, CronSettings):
        return None
    return settings.expression, settings.zone, settings.branch


def _free(taken: set[str]) -> str:
    number = 1
    while (name := NAME if number == 1 else f"{NAME}.{number}") in taken:
        number += 1
    return name
