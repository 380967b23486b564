"""The queries of the outbox are served by an index, also when there are thousands of runs and notifications."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, update

from tailrace.domain.channels import GitHubSettings, SlackSettings
from tailrace.domain.notifications import When
from tailrace.domain.states import NotificationState, RunState
from tailrace.store.badges import Badged, find_badge
from tailrace.store.channels import add_channel
from tailrace.store.migrate import migrate
from tailrace.store.notification_rules import add_rule
from tailrace.store.outbox import (
    NotificationFilter,
    list_notifications,
    note_end,
    note_progress,
    note_waiting,
)
from tailrace.store.outbox_claims import anything_due, claim_due
from tailrace.store.outbox_retention import find_expired_notifications
from tailrace.store.sqlite import sqlite_engine
from tailrace.store.tables import outbox, run
from tests.unit.store.test_query_plans import World

LARGE = {"run", "outbox"}
DUE = 50
RUN = 17
NOT_TOLD = 18


class OutboxWorld(World):
    """With a channel for messages, one for statuses, and thousands of notifications, of which a few are due."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.channel = add_channel(
            connection, None, "chat", SlackSettings(), {}, lambda _row: b"", author="Ada"
        ).id
        settings = GitHubSettings(repository="o/r")
        add_channel(connection, self.project, "forge", settings, {}, lambda _row: b"", author="Ada")
        add_rule(
            connection,
            self.channel,
            project_id=None,
            plan_id=None,
            on=[When.FIRST_FAILURE, When.WAITING],
            branches=None,
            author="Ada",
        )
        rows = [
            {
                "channel_id": self.channel,
                "run_id": n,
                "project_id": self.project,
                "occasion": f"ended@{n}",
                "what": "passed",
                "state": "sent",
                "next_at": n,
                "created_at": n,
                "ended_at": n,
            }
            for n in range(1, 3000)
            if n != NOT_TOLD
        ]
        connection.execute(insert(outbox), rows)
        due = {"state": "pending", "ended_at": None}
        connection.execute(update(outbox).where(outbox.c.id <= DUE).values(due))
        connection.execute(update(run).where(run.c.id.in_([RUN, NOT_TOLD])).values(revision="a" * 40))
        connection.exec_driver_sql("ANALYZE")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OutboxWorld]:
    path: Path = tmp_path_factory.mktemp("plans") / "tailrace.db"
    migrate(f"sqlite:///{path}")
    engine = sqlite_engine(path)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield OutboxWorld(connection)
        connection.exec_driver_sql("ROLLBACK")
    engine.dispose()


ACTS: dict[str, Callable[[OutboxWorld], Callable[[Connection], Any]]] = {
    "anything_due": lambda w: anything_due,
    "claim_due": lambda w: lambda c: claim_due(c, "a", 1000, 8, [99]),
    "note_end of a run that was told of": lambda w: lambda c: note_end(c, RUN, RunState.FAILED),
    "note_end": lambda w: lambda c: note_end(c, NOT_TOLD, RunState.FAILED),
    "note_waiting": lambda w: lambda c: note_waiting(c, RUN, "approval/1", "x"),
    "note_progress": lambda w: lambda c: note_progress(c, RUN),
    "list_notifications": lambda w: lambda c: list_notifications(c, NotificationFilter(before=2000)),
    "list_notifications in a state": lambda w: (
        lambda c: list_notifications(c, NotificationFilter(NotificationState.FAILED))
    ),
    "list_notifications of a channel": lambda w: (
        lambda c: list_notifications(c, NotificationFilter(channel=w.channel))
    ),
    "list_notifications of a project": lambda w: (
        lambda c: list_notifications(c, NotificationFilter(project=w.project, before=2000))
    ),
    "find_expired_notifications": lambda w: lambda c: find_expired_notifications(c, 1),
    "list_notifications of a run": lambda w: lambda c: list_notifications(c, NotificationFilter(run=RUN)),
    "badge": lambda w: lambda c: find_badge(c, Badged(w.project, "shop"), None, None),
    "badge of a branch": lambda w: lambda c: find_badge(c, Badged(w.project, "shop"), "default", "branch-3"),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_no_query_takes_longer_the_longer_the_history_is(
    world: OutboxWorld, act: Callable[[OutboxWorld], Callable[[Connection], Any]]
) -> None:
    """What is due is a small index; all else is found by run, channel, or state, or is the newest of all."""
    found: list[str] = []
    for statement, steps in world.plans_of(act(world)).items():
        for said in steps:
            scan = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", said)
            newest = said == "SCAN outbox" and "LIMIT" in statement
            small = scan is not None and scan[2] == "ix_outbox_due"
            if scan and scan[1] in LARGE and not small and not newest:
                found.append(f"{said}: {statement}")
            of_the_due = "ix_outbox_due" in " ".join(steps) and "GROUP BY" in statement
            few = "notification_rule" in statement  # rules are few, and in their order
            if "USE TEMP B-TREE" in said and not of_the_due and not few:
                found.append(f"{said}: {statement}")
    assert found == []
