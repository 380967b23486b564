"""The times of a plan's `on.schedule` are cron triggers, which follow what the plan says."""

from __future__ import annotations

from sqlalchemy import Connection

from tailrace.domain.filters import Filter, On, Schedule
from tailrace.domain.triggers import CronSettings
from tailrace.store.schedules import follow_schedule, scheduled
from tailrace.store.triggers import add_trigger, list_triggers, set_enabled
from tests.unit.store.world import a_plan

NIGHT, NOON = Schedule(cron="0 1 * * *"), Schedule(cron="0 12 * * *", zone="Europe/Berlin", branch="dev")


def test_each_time_is_a_trigger(connection: Connection) -> None:
    plan = a_plan(connection)
    assert follow_schedule(connection, plan, On(schedule=(NIGHT, NOON, NIGHT)))
    assert [(one.name, one.settings) for one in scheduled(connection, plan)] == [
        ("on.schedule", CronSettings(expression="0 1 * * *")),
        ("on.schedule.2", CronSettings(expression="0 12 * * *", zone="Europe/Berlin", branch="dev")),
    ]
    assert not follow_schedule(connection, plan, On(schedule=(NOON, NIGHT))), "nothing to do"


def test_what_stays_is_not_touched_and_what_goes_is_removed(connection: Connection) -> None:
    """Who disabled one keeps it so; what people added is theirs."""
    plan = a_plan(connection)
    add_trigger(connection, plan, "nightly", CronSettings(expression="0 3 * * *"))
    follow_schedule(connection, plan, On(schedule=(NIGHT, NOON)))
    noon = scheduled(connection, plan)[1]
    set_enabled(connection, noon.id, False, by="Ada", why="too loud")
    assert follow_schedule(connection, plan, On(push=Filter(), schedule=(NOON,)))
    (kept,) = scheduled(connection, plan)
    assert (kept.id, kept.enabled) == (noon.id, False)
    assert follow_schedule(connection, plan, On(schedule=(NIGHT, NOON)))
    assert sorted(one.name for one in scheduled(connection, plan)) == ["on.schedule", "on.schedule.2"]
    assert follow_schedule(connection, plan, None)
    assert [one.name for one in list_triggers(connection, plan_id=plan)] == ["webhook", "nightly"]
