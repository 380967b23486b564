"""The times of a plan's `on.schedule` are cron triggers, which follow what the plan says."""

from __future__ import annotations

from sqlalchemy import Connection

from tailrace.domain.filters import Filter, On, Schedule
from tailrace.domain.triggers import CronSettings
from tailrace.store.heads import move_head
from tailrace.store.schedules import follow_branch, follow_schedule, scheduled
from tailrace.store.triggers import add_trigger, change_trigger, list_triggers, set_enabled
from tests.unit.store.world import a_plan, a_project

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


def test_a_time_that_becomes_another_is_the_same_trigger(connection: Connection) -> None:
    """Who disabled it, why, and what people had it do with missed ticks, stay; it looks at the new time only."""
    plan = a_plan(connection)
    follow_schedule(connection, plan, On(schedule=(NIGHT, NOON)))
    night, noon = scheduled(connection, plan)
    change_trigger(connection, night.id, settings=CronSettings(expression="0 1 * * *", missed="once"))
    set_enabled(connection, night.id, False, by="Ada", why="too loud")
    assert follow_schedule(connection, plan, On(schedule=(Schedule(cron="0 2 * * *"), NOON)))
    changed, same = scheduled(connection, plan)
    assert (changed.id, changed.name, changed.enabled, changed.mode_by, changed.mode_why) == (
        night.id,
        "on.schedule",
        False,
        "Ada",
        "too loud",
    )
    assert changed.settings == CronSettings(expression="0 2 * * *", missed="once")
    assert same == noon


def test_only_what_stands_on_the_branch_is_followed(connection: Connection) -> None:
    """Not what is late, planned in the wrong order, or replayed."""
    project, main = a_project(connection), "refs/heads/main"
    plan = a_plan(connection, project)
    assert follow_branch(connection, plan, On(schedule=(NIGHT,)), main, "a"), "nobody told of the branch"
    move_head(connection, project, main, "a", by="webhook")
    move_head(connection, project, main, "b", "a", by="webhook")
    assert follow_branch(connection, plan, On(schedule=(NOON,)), main, "b")
    assert not follow_branch(connection, plan, On(schedule=(NIGHT,)), main, "a")
    (noon,) = scheduled(connection, plan)
    assert noon.settings == CronSettings(expression="0 12 * * *", zone="Europe/Berlin", branch="dev")


def test_a_name_that_begins_alike_is_somebodys_own(connection: Connection) -> None:
    plan = a_plan(connection)
    mine = add_trigger(connection, plan, "on.schedule.mine", CronSettings(expression="0 3 * * *"))
    follow_schedule(connection, plan, On(schedule=(NIGHT,)))
    follow_schedule(connection, plan, None)
    assert mine in list_triggers(connection, plan_id=plan)
