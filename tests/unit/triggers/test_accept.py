"""Webhooks that verified: kept with what came of them, and told from what was known."""

from __future__ import annotations

import asyncio
import threading
import zlib
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from tailrace.domain.approvals import ApprovalState
from tailrace.domain.events import Event, EventKind
from tailrace.store import Store
from tailrace.store.approvals import ApprovalFilter, list_approvals
from tailrace.store.deliveries import NewDelivery, add_delivery, get_delivery
from tailrace.store.heads import find_head, move_head
from tailrace.store.plans import PlanSource, webhook_plans
from tailrace.store.runs import get_run
from tailrace.store.tables import told
from tailrace.store.told import WITHIN_MS
from tailrace.triggers.accept import Accepted, accept
from tailrace.triggers.fire import fire
from tests.unit.store.conftest import overlapping
from tests.unit.store.world import PUSH, a_project
from tests.unit.triggers.plans import DEFINITION, a_plan

A, B = "a" * 40, "b" * 40


def _delivery(project: int, **changes: Any) -> NewDelivery:
    new: dict[str, Any] = {
        "project_id": project,
        "source": "github",
        "key": None,
        "event": "push",
        "headers": {"x-github-event": "push"},
        "body": zlib.compress(b"{}"),
        "body_file": None,
        "state": "accepted",
        "detail": None,
    }
    return NewDelivery(**{**new, **changes})


def _take(connection: Connection, project: int, event: Event | None = PUSH, **changes: Any) -> Accepted:
    return accept(connection, _delivery(project, **changes), event)


def test_the_delivery_keeps_what_each_trigger_made_of_it(connection: Connection) -> None:
    project = a_project(connection)
    a_plan(connection, project)
    taken = _take(connection, project)
    kept = get_delivery(connection, taken.delivery)
    assert (kept.state, kept.detail, kept.runs) == ("accepted", None, taken.runs)
    shown = [made.model_dump(exclude={"run_number"}) for made in kept.outcomes or ()]
    assert shown == [made.model_dump() for made in taken.outcomes]
    assert [made.run for made in kept.outcomes or ()] == list(taken.runs)
    assert [made.run_number for made in kept.outcomes or ()] == list(kept.run_numbers) == [1]


def test_the_webhook_of_what_a_poll_found_makes_no_second_run(connection: Connection) -> None:
    project = a_project(connection)
    a_plan(connection, project)
    move_head(connection, project, "refs/heads/main", B, by="git")
    assert move_head(connection, project, "refs/heads/main", A, by="git")
    taken = _take(connection, project, PUSH.model_copy(update={"before": B}))
    assert (taken.runs, taken.state) == ((), "ignored")
    assert taken.detail == "refs/heads/main was seen at aaaaaaaaaaaa before: nothing new is told"


def test_a_skipped_commit_is_known_to_the_poll(connection: Connection) -> None:
    project = a_project(connection)
    taken = _take(connection, project, PUSH.model_copy(update={"message": "[skip ci]"}))
    assert (taken.runs, taken.detail) == ((), "the commit's message says [skip ci]")
    assert find_head(connection, project, "refs/heads/main") == A


def test_a_branch_that_was_deleted_has_no_head(connection: Connection) -> None:
    project = a_project(connection)
    _take(connection, project)
    _take(connection, project, PUSH.model_copy(update={"deleted": True, "revision": None}))
    assert find_head(connection, project, "refs/heads/main") is None


def test_a_pull_request_moves_no_head(connection: Connection) -> None:
    project = a_project(connection)
    event = PUSH.model_copy(update={"kind": EventKind.PULL_REQUEST, "action": "opened"})
    assert _take(connection, project, event).runs
    assert find_head(connection, project, "refs/heads/main") is None


def test_two_webhooks_of_one_pull_request_are_one_event(connection: Connection) -> None:
    """Those of a repository and of its organisation; what happens to it next, or again later, is another."""
    project = a_project(connection)
    a_plan(connection, project)
    opened = PUSH.model_copy(
        update={
            "kind": EventKind.PULL_REQUEST,
            "ref": "refs/pull/7/head",
            "pull_request": 7,
            "action": "opened",
        }
    )
    assert _take(connection, project, opened, key="repository").runs
    again = _take(connection, project, opened, key="organisation")
    assert (again.runs, again.state) == ((), "ignored")
    assert again.detail == f"pull request 7 opened at {A}: another webhook told of it within a minute"
    for changes in ({"action": "reopened"}, {"revision": B}, {"pull_request": 8}):
        assert _take(connection, project, opened.model_copy(update=changes)).runs
    connection.execute(update(told).values(at=told.c.at - WITHIN_MS))
    assert _take(connection, project, opened).runs
    assert len(connection.execute(select(told)).all()) == 1, "what is long past is forgotten"


def test_a_pull_request_that_is_opened_again_twice_runs_twice(connection: Connection) -> None:
    """However soon: that is how people start it anew."""
    project = a_project(connection)
    a_plan(connection, project, definition="on: {pull_request: {actions: reopened}}\n" + DEFINITION)
    change = PUSH.model_copy(
        update={"kind": EventKind.PULL_REQUEST, "ref": "refs/pull/7/head", "pull_request": 7}
    )
    actions = ("closed", "reopened", "reopened", "closed", "closed", "reopened")
    taken = [_take(connection, project, change.model_copy(update={"action": one})) for one in actions]
    assert [bool(one.runs) for one in taken] == [False, True, False, False, False, True]
    told = ["another webhook told of it" not in (one.detail or "") for one in taken]
    assert told == [True, True, False, True, False, True]


def test_two_webhooks_of_one_workflow_are_one_event(connection: Connection) -> None:
    """Nothing else tells them from two workflows on one commit."""
    project = a_project(connection)
    a_plan(connection, project, definition="on: {workflow: {}}\n" + DEFINITION)
    ended = Event(
        kind=EventKind.WORKFLOW,
        branch="main",
        revision=A,
        action="completed",
        once="workflow run 7 completed",
    )
    assert _take(connection, project, ended, key="repository").runs
    again = _take(connection, project, ended, key="organisation")
    assert (again.runs, again.detail) == (
        (),
        "workflow run 7 completed: another webhook told of it within a minute",
    )
    assert _take(connection, project, ended.model_copy(update={"once": "workflow run 8 completed"})).runs


def test_a_forced_push_to_an_older_commit_moves_the_head_also_when_the_webhook_before_was_lost(
    connection: Connection,
) -> None:
    project = a_project(connection)
    _take(connection, project, PUSH.model_copy(update={"committed_at": 9}))
    older = PUSH.model_copy(update={"revision": B, "before": "c" * 40, "committed_at": 1})
    assert _take(connection, project, older).runs, "nobody ran it"
    assert find_head(connection, project, "refs/heads/main") == A, "it is late"
    _take(
        connection,
        project,
        older.model_copy(update={"revision": "d" * 40, "before": "e" * 40, "action": "forced"}),
    )
    assert find_head(connection, project, "refs/heads/main") == "d" * 40


async def test_two_webhooks_of_one_pull_request_at_the_same_moment_make_one_run(store: Store) -> None:
    project = await store.write(a_project)
    opened = PUSH.model_copy(update={"kind": EventKind.PULL_REQUEST, "pull_request": 7, "action": "opened"})

    def hear(connection: Connection) -> tuple[int, ...]:
        return _take(connection, project, opened).runs

    first, second = await overlapping(store, hear, hear)
    assert (len(first), len(second)) == (1, 0)


def test_the_same_delivery_again_makes_nothing(connection: Connection) -> None:
    project = a_project(connection)
    a_plan(connection, project)
    first, again = (_take(connection, project, key="one") for _ in range(2))
    assert again._replace(outcomes=()) == first._replace(again=True, outcomes=())
    assert [(made.trigger, made.run) for made in again.outcomes] == [
        (made.trigger, made.run) for made in first.outcomes
    ]


async def test_first_webhooks_of_a_project_do_not_stand_in_each_others_way(store: Store) -> None:
    """Each has kept its delivery when it looks for plans; they waited for each other."""
    project = await store.write(a_project)
    many = 4 if type(store).__name__ == "PostgresStore" else 1  # SQLite has one writer
    kept = threading.Barrier(many)
    tries: list[int] = []

    def first(connection: Connection, n: int) -> list[PlanSource]:
        tries.append(n)
        add_delivery(connection, _delivery(project))
        if tries.count(n) == 1:
            kept.wait(30)
        return webhook_plans(connection, project)

    made = await asyncio.gather(*(store.write(first, n) for n in range(many)))
    assert sorted(tries) == list(range(many)), "none was begun again"
    assert len({plan.plan_id for (plan,) in made}) == 1


async def test_a_webhook_and_a_poll_at_the_same_moment_make_one_run(store: Store) -> None:
    """Whoever is second waits for the head, and finds it where it is told to be."""

    def make(connection: Connection) -> int:
        project = a_project(connection)
        a_plan(connection, project)
        move_head(connection, project, "refs/heads/main", B, by="git")
        return project

    project = await store.write(make)

    def poll(connection: Connection) -> tuple[int, ...]:
        if not move_head(connection, project, "refs/heads/main", A, by="git"):
            return ()
        return fire(connection, project, PUSH, kind="git", by=None).runs

    def hear(connection: Connection) -> tuple[int, ...]:
        return _take(connection, project, PUSH.model_copy(update={"before": B})).runs

    polled, heard = await overlapping(store, poll, hear)
    assert (len(polled), len(heard)) == (1, 0)
    other = PUSH.model_copy(update={"before": A, "revision": "c" * 40})

    def hear_other(connection: Connection) -> tuple[int, ...]:
        return _take(connection, project, other).runs

    def poll_other(connection: Connection) -> tuple[int, ...]:
        if not move_head(connection, project, "refs/heads/main", "c" * 40, by="git"):
            return ()
        return fire(connection, project, other, kind="git", by=None).runs

    heard, polled = await overlapping(store, hear_other, poll_other)
    assert (len(heard), len(polled)) == (1, 0)


@pytest.mark.parametrize("more", [{}, {"message": "Mend it [skip ci]"}])
def test_the_end_of_a_pull_request_asks_nobody_more(connection: Connection, more: dict[str, Any]) -> None:
    """Whether or not a plan wants to hear of it; one that does asks anew."""
    project = a_project(connection)
    a_plan(connection, project)
    wants = "on: {pull_request: {actions: closed}}\n" + DEFINITION
    a_plan(connection, project, "last", wants)
    opened = PUSH.model_copy(
        update={
            "kind": EventKind.PULL_REQUEST,
            "ref": "refs/pull/7/head",
            "pull_request": 7,
            "action": "opened",
            "from_fork": True,
            "message": "Mend it",
        }
    )
    (waiting,) = _take(connection, project, opened).runs
    assert get_run(connection, waiting).state == "pending"
    taken = _take(connection, project, opened.model_copy(update={"action": "closed", **more}))
    assert taken.ended == (waiting,)
    assert get_run(connection, waiting).detail == (
        "job make: aborted by the end of its pull request: it was closed"
    )
    open_now = list_approvals(connection, ApprovalFilter(ApprovalState.OPEN, project=project))
    assert [one.run for one in open_now] == list(taken.runs)
    assert len(taken.runs) == (0 if more else 1)
