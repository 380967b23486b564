"""Retention of notifications: what ended long ago goes, what is still to be sent, or to be known, stays."""

from __future__ import annotations

from sqlalchemy import Connection, update

from tailrace.domain.channels import SlackSettings
from tailrace.domain.notifications import When
from tailrace.domain.states import AttemptState, NotificationState
from tailrace.notify.outbox_retention import OutboxRetention
from tailrace.store import Store
from tailrace.store.channels import add_channel
from tailrace.store.notification_rules import add_rule
from tailrace.store.outbox import NotificationFilter, list_notifications, note_waiting, send_again
from tailrace.store.outbox_retention import find_expired_notifications, forget_notifications
from tailrace.store.tables import outbox
from tests.unit.store.world import a_job, a_plan, a_project, a_run, an_agent, finish, lease, start

DAY_MS = 24 * 3600 * 1000


def _project(connection: Connection, name: str) -> int:
    project = a_project(connection, name)
    channel = add_channel(connection, project, name, SlackSettings(), {}, lambda _row: b"", author="Ada").id
    on = [When.FAILED, When.WAITING]
    add_rule(connection, channel, project_id=project, plan_id=None, on=on, branches=None, author="Ada")
    return project


def _failed(connection: Connection, project: int) -> int:
    """A run that failed, and is to be told of."""
    run = a_run(connection, a_job("test"), plan_id=a_plan(connection, project, f"plan-{project}"))
    agent = an_agent(connection)
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    finish(connection, agent, held.attempt, AttemptState.FAILED)
    return run


def _ended(connection: Connection, run: int, state: NotificationState, days_ago: float) -> int:
    """What is to be told of a run was, or was not, so long ago; its id."""
    (shown,) = list_notifications(connection, NotificationFilter(run=run))
    at = shown.created_at - int(days_ago * DAY_MS)
    connection.execute(update(outbox).where(outbox.c.id == shown.id).values(state=state, ended_at=at))
    return shown.id


async def test_what_ended_long_ago_goes(store: Store) -> None:
    """Whether it arrived or not; what waits to be sent stays, however old it is."""

    def make(connection: Connection) -> list[int]:
        states = (NotificationState.SENT, NotificationState.FAILED, NotificationState.UNSURE)
        runs = [_failed(connection, _project(connection, f"p{n}")) for n in range(5)]
        old = [_ended(connection, run, state, 8) for run, state in zip(runs, states, strict=False)]
        _ended(connection, runs[3], NotificationState.SENT, 6)
        connection.execute(update(outbox).where(outbox.c.run_id == runs[4]).values(created_at=0))
        return old

    old = await store.write(make)
    retention = OutboxRetention(store, 7)
    taken = await retention.look()
    assert sorted(one.id for one in taken) == old
    assert {one.why for one in taken} == {"it was kept for 7 days"}
    assert len(await store.read(list_notifications, NotificationFilter())) == 5, "looking takes nothing"
    assert sorted(one.id for one in await retention.apply()) == old
    left = {one.id for one in await store.read(list_notifications, NotificationFilter())}
    assert len(left) == 2
    assert left.isdisjoint(old)
    assert await OutboxRetention(store, 0).apply() == []


async def test_more_than_are_removed_at_once_go_too(store: Store) -> None:
    def make(connection: Connection) -> None:
        for n in range(5):
            run = _failed(connection, _project(connection, f"p{n}"))
            _ended(connection, run, NotificationState.SENT, 8)

    await store.write(make)
    assert len(await OutboxRetention(store, 7, together=2).apply()) == 5


def test_what_is_told_of_a_run_that_goes_on_stays(connection: Connection) -> None:
    """And what somebody has sent again meanwhile."""
    ended = _failed(connection, _project(connection, "web"))
    run = a_run(connection, plan_id=a_plan(connection, _project(connection, "shop")))
    note_waiting(connection, run, "approval/1", "somebody has to look")
    _ended(connection, run, NotificationState.SENT, 8)
    again = _ended(connection, ended, NotificationState.FAILED, 8)
    assert [one.id for one in find_expired_notifications(connection, 7)] == [again]
    send_again(connection, again)
    assert forget_notifications(connection, [again]) == []


def test_notifications_are_listed_by_project(connection: Connection) -> None:
    shop, web = _project(connection, "shop"), _project(connection, "web")
    run = _failed(connection, shop)
    _failed(connection, web)
    assert [one.run for one in list_notifications(connection, NotificationFilter(project=shop))] == [run]
