"""Triggers: kept, changed, enabled, and claimed when their time has come."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, update

from tailrace.domain.errors import Conflict, NotFound
from tailrace.domain.triggers import CronSettings, GitSettings, TriggerKind, TriggerView, WebhookSettings
from tailrace.store.clock import read_clock
from tailrace.store.plans import remove_plan
from tailrace.store.projects import remove_project
from tailrace.store.tables import trigger as triggers
from tailrace.store.triggers import (
    add_trigger,
    change_trigger,
    check_now,
    claim_due,
    get_trigger,
    list_triggers,
    remove_trigger,
    set_enabled,
    settle,
)
from tests.unit.store.world import a_plan, a_project

GIT = (TriggerKind.GIT,)


def a_poll(connection: Connection, name: str = "poll", plan: int | None = None) -> TriggerView:
    return add_trigger(connection, plan or a_plan(connection), name, GitSettings(branches=("main",)))


def test_a_plan_begins_with_a_webhook_that_is_never_looked_at(connection: Connection) -> None:
    plan = a_plan(connection)
    (webhook,) = list_triggers(connection, plan_id=plan)
    assert (webhook.name, webhook.settings, webhook.enabled) == ("webhook", WebhookSettings(), True)
    assert webhook.next_at is None
    with pytest.raises(Conflict):
        check_now(connection, webhook.id)


def test_what_looks_somewhere_is_due_at_once(connection: Connection) -> None:
    poll = a_poll(connection)
    assert poll.next_at is not None
    assert poll.next_at <= read_clock(connection)
    assert poll.settings == GitSettings(branches=("main",))
    assert get_trigger(connection, poll.id) == poll


def test_two_triggers_of_a_plan_have_two_names(connection: Connection) -> None:
    plan = a_plan(connection)
    poll = a_poll(connection, plan=plan)
    with pytest.raises(Conflict):
        a_poll(connection, plan=plan)
    remove_trigger(connection, poll.id)
    assert a_poll(connection, plan=plan).id != poll.id
    with pytest.raises(NotFound):
        get_trigger(connection, poll.id)


def test_other_settings_forget_what_was_seen_and_take_the_claim_back(connection: Connection) -> None:
    poll = a_poll(connection)
    (due,) = claim_due(connection, "me", 1000, 5, GIT)
    assert settle(connection, due.view.id, "me", next_at=read_clock(connection), seen={"main": "a"})
    (again,) = claim_due(connection, "me", 1000, 5, GIT)
    assert again.seen == {"main": "a"}
    change_trigger(connection, poll.id, settings=GitSettings(branches=("next",)))
    assert not settle(connection, poll.id, "me", next_at=None, seen={"main": "b"})
    (anew,) = claim_due(connection, "you", 1000, 5, GIT)
    assert (anew.seen, anew.view.settings) == (None, GitSettings(branches=("next",)))


@pytest.mark.parametrize(
    ("settings", "forgets"),
    [
        (GitSettings(branches=("main",), interval_s=1800), False),
        (GitSettings(branches=("main",), mode="every"), False),
        (GitSettings(branches=("main",), timeout_s=5), False),
        (GitSettings(branches=("main", "next")), True),
        (GitSettings(branches=("main",), tags=("v*",)), True),
    ],
)
def test_how_and_how_often_it_looks_is_no_reason_to_forget(
    connection: Connection, settings: GitSettings, forgets: bool
) -> None:
    """What changed since the last look is found by the next."""
    poll = a_poll(connection)
    claim_due(connection, "me", 1000, 5, GIT)
    settle(connection, poll.id, "me", next_at=2**50, seen={"main": "a"})
    change_trigger(connection, poll.id, settings=settings)
    (due,) = claim_due(connection, "me", 1000, 5, GIT)
    assert due.seen == (None if forgets else {"main": "a"})


def test_a_tick_stays_where_it_is_when_only_what_is_missed_changes(connection: Connection) -> None:
    night = add_trigger(connection, a_plan(connection), "night", CronSettings(expression="0 4 * * *"))
    claim_due(connection, "me", 1000, 5, (TriggerKind.CRON,))
    settle(connection, night.id, "me", next_at=2**50, seen={"next": 2**50})
    again = change_trigger(connection, night.id, settings=CronSettings(expression="0 4 * * *", missed="once"))
    assert again.next_at == 2**50
    other = change_trigger(connection, night.id, settings=CronSettings(expression="0 5 * * *"))
    assert other.next_at != 2**50


def test_enabling_what_is_enabled_changes_nothing(connection: Connection) -> None:
    """And what was disabled begins anew."""
    poll = a_poll(connection)
    claim_due(connection, "me", 1000, 5, GIT)
    settle(connection, poll.id, "me", next_at=0, seen={"main": "a"})
    before = get_trigger(connection, poll.id)
    assert set_enabled(connection, poll.id, True, by="Ada", why="to be sure") == before
    (due,) = claim_due(connection, "me", 1000, 5, GIT)
    assert due.seen == {"main": "a"}
    set_enabled(connection, poll.id, False, by="Ada", why=None)
    set_enabled(connection, poll.id, True, by="Ada", why=None)
    (due,) = claim_due(connection, "me", 1000, 5, GIT)
    assert due.seen is None


def test_a_trigger_keeps_its_kind(connection: Connection) -> None:
    with pytest.raises(Conflict, match="of kind git"):
        change_trigger(connection, a_poll(connection).id, settings=CronSettings(expression="* * * * *"))


def test_who_disables_says_why_and_nobody_claims_it(connection: Connection) -> None:
    poll = a_poll(connection)
    off = set_enabled(connection, poll.id, False, by="Grace", why="the forge is down")
    assert (off.enabled, off.mode_by, off.mode_why, off.next_at) == (
        False,
        "Grace",
        "the forge is down",
        None,
    )
    assert claim_due(connection, "me", 1000, 5, GIT) == []
    with pytest.raises(Conflict, match="disabled"):
        check_now(connection, poll.id)
    on = set_enabled(connection, poll.id, True, by="Ada", why=None)
    assert (on.enabled, on.mode_by, on.mode_why) == (True, "Ada", None)
    assert [due.view.id for due in claim_due(connection, "me", 1000, 5, GIT)] == [poll.id]


def test_a_trigger_that_is_disabled_while_it_is_looked_at_starts_nothing(connection: Connection) -> None:
    poll = a_poll(connection)
    claim_due(connection, "me", 1000, 5, GIT)
    set_enabled(connection, poll.id, False, by="Ada", why=None)
    assert not settle(connection, poll.id, "me", next_at=0, seen=None)
    assert get_trigger(connection, poll.id).next_at is None


def test_one_server_at_a_time_until_its_claim_runs_out(connection: Connection) -> None:
    poll = a_poll(connection)
    assert len(claim_due(connection, "one", 60_000, 5, GIT)) == 1
    assert claim_due(connection, "two", 60_000, 5, GIT) == []
    late = update(triggers).where(triggers.c.id == poll.id).values(claimed_until=1)
    connection.execute(late)
    assert len(claim_due(connection, "two", 60_000, 5, GIT)) == 1
    assert not settle(connection, poll.id, "one", next_at=None, seen=None), "it is another's by now"
    assert settle(connection, poll.id, "two", next_at=None, seen=None)


def test_errors_in_a_row_are_counted_and_shown(connection: Connection) -> None:
    poll = a_poll(connection)
    for count in (1, 2):
        claim_due(connection, "me", 1000, 5, GIT)
        settle(connection, poll.id, "me", next_at=0, seen=None, error="no route to host")
        shown = get_trigger(connection, poll.id)
        assert (shown.failures, shown.last_state, shown.last_detail) == (count, "error", "no route to host")
    claim_due(connection, "me", 1000, 5, GIT)
    settle(connection, poll.id, "me", next_at=0, seen=None, detail="nothing new")
    shown = get_trigger(connection, poll.id)
    assert (shown.failures, shown.last_state, shown.last_detail) == (0, "ok", "nothing new")


def test_what_came_of_a_look_is_kept_whatever_it_holds(connection: Connection) -> None:
    """A claim that cannot be ended would be taken again and again, and nobody would see why."""
    poll = a_poll(connection)
    claim_due(connection, "me", 1000, 5, GIT)
    assert settle(connection, poll.id, "me", next_at=0, seen=None, error="no host a\0b\ud800")
    assert get_trigger(connection, poll.id).last_detail == "no host a\N{REPLACEMENT CHARACTER}b?"


def test_those_that_wait_longest_come_first_and_of_other_kinds_none(connection: Connection) -> None:
    plan = a_plan(connection)
    polls = [a_poll(connection, f"poll-{n}", plan).id for n in range(3)]
    add_trigger(connection, plan, "night", CronSettings(expression="0 4 * * *"))
    for at, poll in zip((30, 10, 20), polls, strict=True):
        connection.execute(update(triggers).where(triggers.c.id == poll).values(next_at=at))
    claimed = [due.view.id for due in claim_due(connection, "me", 1000, 2, GIT)]
    assert claimed == [polls[1], polls[2]]


def test_triggers_of_removed_plans_and_projects_are_not_there(connection: Connection) -> None:
    project = a_project(connection)
    one, two = a_plan(connection, project, "one"), a_plan(connection, project, "two")
    a_poll(connection, plan=one)
    remove_plan(connection, one)
    assert [trigger.plan for trigger in list_triggers(connection, project)] == [two]
    poll = a_poll(connection, plan=two)
    remove_project(connection, project)
    assert list_triggers(connection, project) == []
    assert claim_due(connection, "me", 1000, 5, GIT) == []
    with pytest.raises(NotFound):
        get_trigger(connection, poll.id)
