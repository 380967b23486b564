"""`on.schedule` of a plan: each of its times is a cron trigger of the plan, which follows what the plan says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Connection, select

from tailrace.domain.filters import On, Schedule
from tailrace.domain.triggers import CronSettings, TriggerKind, TriggerView
from tailrace.store.polls import lock_head
from tailrace.store.tables import plan as plans
from tailrace.store.tables import trigger as triggers
from tailrace.store.triggers import add_trigger, change_trigger, get_trigger, remove_trigger

NAME = "on.schedule"
"""What such triggers are called; the second is `on.schedule.2`."""
_OURS = re.compile(rf"{re.escape(NAME)}(?:\.[0-9]+)?")


def follow_schedule(connection: Connection, plan_id: int, on: On | None) -> bool:
    """Give a plan the cron triggers that its `on` asks for, and take those away that it no longer does; whether any changed.

    One that stays is not touched, and a time that becomes another is the same trigger: who disabled it keeps it so.
    """
    wanted = list(dict.fromkeys(_settings(one) for one in (on.schedule if on else ())))
    there = scheduled(connection, plan_id)
    missing = [one for one in wanted if _key(one) not in [_key(trigger.settings) for trigger in there]]
    spare = [trigger for trigger in there if _key(trigger.settings) not in map(_key, wanted)]
    for trigger, settings in zip(spare, missing, strict=False):
        change_trigger(connection, trigger.id, settings=_with_missed(settings, trigger))
    for trigger in spare[len(missing) :]:
        remove_trigger(connection, trigger.id)
    taken = {trigger.name for trigger in there if trigger not in spare[len(missing) :]}
    for settings in missing[len(spare) :]:
        name = _free(taken)
        taken.add(name)
        add_trigger(connection, plan_id, name, settings)
    return bool(missing or spare)


def follow_branch(connection: Connection, plan_id: int, on: On | None, ref: str, revision: str) -> bool:
    """As `follow_schedule`, where the plan was read at the revision that `ref` has; whether any changed.

    What is late, or is acted on again, changes nothing: its `on` is not what stands on the branch.
    """
    project = connection.execute(select(plans.c.project_id).where(plans.c.id == plan_id)).scalar_one()
    if lock_head(connection, project, ref) not in (None, revision):
        return False
    return follow_schedule(connection, plan_id, on)


def scheduled(connection: Connection, plan_id: int) -> list[TriggerView]:
    """The cron triggers that a plan has by its `on.schedule`, oldest first."""
    query = select(triggers.c.id).where(
        triggers.c.plan_id == plan_id,
        triggers.c.kind == TriggerKind.CRON.value,
        triggers.c.name.startswith(NAME, autoescape=True),
        triggers.c.removed_at.is_(None),
    )
    ids: Sequence[int] = connection.execute(query.order_by(triggers.c.id)).scalars().all()
    found = [get_trigger(connection, id) for id in ids]
    return [one for one in found if follows_plan(one.name)]


def follows_plan(name: str) -> bool:
    """Whether this is the name of a trigger that follows what its plan says: nobody else may have it."""
    return _OURS.fullmatch(name) is not None


def _settings(one: Schedule) -> CronSettings:
    return CronSettings(expression=one.cron, zone=one.zone or "UTC", branch=one.branch)


def _with_missed(settings: CronSettings, trigger: TriggerView) -> CronSettings:
    """What the plan does not say stays as people made it."""
    old = trigger.settings
    return settings.model_copy(update={"missed": old.missed}) if isinstance(old, CronSettings) else settings


def _key(settings: object) -> tuple[str, str, str | None] | None:
    if not isinstance(settings, CronSettings):
        return None
    return settings.expression, settings.zone, settings.branch


def _free(taken: set[str]) -> str:
    number = 1
    while (name := NAME if number == 1 else f"{NAME}.{number}") in taken:
        number += 1
    return name
