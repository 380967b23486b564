"""Kept deliveries acted on again."""

from __future__ import annotations

import zlib

import pytest
from sqlalchemy import Connection

from tailrace.domain.errors import NotFound
from tailrace.store.deliveries import NewDelivery, add_delivery, get_delivery, list_replays
from tailrace.store.heads import find_head, move_head
from tailrace.store.projects import remove_project
from tailrace.store.runs import get_run
from tailrace.triggers.replay import replay
from tests.unit.store.world import PUSH, a_project
from tests.unit.triggers.plans import a_plan


def _kept(connection: Connection, project: int) -> int:
    body = zlib.compress(b"{}")
    return add_delivery(
        connection, NewDelivery(project, "github", None, "push", {}, body, None, "ignored", "no trigger")
    )


def test_a_replay_makes_runs_of_the_triggers_of_today_and_is_kept(connection: Connection) -> None:
    project = a_project(connection)
    delivery = _kept(connection, project)
    plan = a_plan(connection, project)
    done = replay(connection, delivery, PUSH, "accepted", None, by="Grace")
    (run,) = done.runs
    assert (get_run(connection, run).plan, get_run(connection, run).trigger.by) == (plan, "Grace")
    kept = get_delivery(connection, delivery)
    assert (kept.runs, kept.replays, kept.state) == ((run,), 1, "ignored"), "what came of it first stays"
    (told,) = list_replays(connection, delivery)
    assert (told.id, told.by, told.state, told.detail) == (done.replay, "Grace", "accepted", None)
    assert [made.run for made in told.outcomes or ()] == [run]


def test_each_replay_makes_its_own_runs(connection: Connection) -> None:
    project = a_project(connection)
    a_plan(connection, project)
    delivery = _kept(connection, project)
    runs = [replay(connection, delivery, PUSH, "accepted", None, by="Ada").runs for _ in range(2)]
    assert get_delivery(connection, delivery).runs == (*runs[0], *runs[1])


def test_a_replay_moves_no_head(connection: Connection) -> None:
    project = a_project(connection)
    a_plan(connection, project)
    move_head(connection, project, "refs/heads/main", "c" * 40, by="webhook")
    assert replay(connection, _kept(connection, project), PUSH, "accepted", None, by="Ada").runs
    assert find_head(connection, project, "refs/heads/main") == "c" * 40


def test_what_cannot_be_understood_says_so_again(connection: Connection) -> None:
    delivery = _kept(connection, a_project(connection))
    done = replay(connection, delivery, None, "invalid", "ref: expected a text", by="Ada")
    assert (done.runs, done.state, done.detail) == ((), "invalid", "ref: expected a text")


def test_a_removed_project_runs_nothing_again(connection: Connection) -> None:
    project = a_project(connection)
    delivery = _kept(connection, project)
    remove_project(connection, project)
    with pytest.raises(NotFound):
        replay(connection, delivery, PUSH, "accepted", None, by="Ada")
