"""What looking at triggers asks of the store."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, event, update

from tailrace.domain.triggers import GitSettings, TriggerKind
from tailrace.store.heads import find_head, move_head
from tailrace.store.plans import remove_plan
from tailrace.store.polls import (
    lock_head,
    next_look_in,
    release_looks,
    renew_looks,
    secrets_of_project,
    told_revisions,
)
from tailrace.store.secrets import secret_row, set_secret
from tailrace.store.tables import trigger as triggers
from tailrace.store.triggers import add_trigger, claim_due, get_trigger
from tests.unit.store.world import a_plan, a_project

MAIN = "refs/heads/main"
GIT = (TriggerKind.GIT,)


def _poll(connection: Connection, name: str = "poll", plan: int | None = None) -> int:
    return add_trigger(connection, plan or a_plan(connection), name, GitSettings()).id


def _claimed(connection: Connection, by: str, claim_ms: int = 60_000) -> list[int]:
    return [due.view.id for due in claim_due(connection, by, claim_ms, 10, GIT)]


def test_a_claim_is_held_renewed_and_let_go_by_who_has_it(connection: Connection) -> None:
    """Nobody else can; one that ran out is free."""
    trigger = _poll(connection)
    assert _claimed(connection, "a", claim_ms=-1000) == [trigger]
    renew_looks(connection, "b", [trigger], 60_000)
    assert _claimed(connection, "b", claim_ms=-1000) == [trigger], (
        "a's claim had run out, and b could not renew it"
    )
    renew_looks(connection, "b", [trigger], 60_000)
    assert _claimed(connection, "a") == []
    release_looks(connection, "a", [trigger])
    assert _claimed(connection, "a") == []
    release_looks(connection, "b", [trigger])
    assert _claimed(connection, "a") == [trigger]


def test_the_next_look_is_that_of_the_trigger_that_is_due_first(connection: Connection) -> None:
    """Of those that nobody looks at, and that are still there."""
    assert next_look_in(connection) is None
    plan = a_plan(connection)
    first, second = _poll(connection, plan=plan), _poll(connection, "second")
    for trigger, later in ((first, 500_000), (second, 6_000_000)):
        at = update(triggers).where(triggers.c.id == trigger)
        connection.execute(at.values(next_at=get_trigger(connection, trigger).created_at + later))
    assert next_look_in(connection) == pytest.approx(500_000, abs=300_000)
    connection.execute(update(triggers).where(triggers.c.id == first).values(claimed_until=1, claimed_by="a"))
    assert next_look_in(connection) == pytest.approx(6_000_000, abs=300_000)
    connection.execute(update(triggers).where(triggers.c.id == first).values(claimed_until=None))
    remove_plan(connection, plan)
    assert next_look_in(connection) == pytest.approx(6_000_000, abs=300_000)


def test_a_head_is_known_with_where_it_was(connection: Connection) -> None:
    """And nothing of other projects and refs."""
    project, other = a_project(connection), a_project(connection)
    assert lock_head(connection, project, MAIN) is None
    assert told_revisions(connection, project, MAIN) == frozenset()
    for revision in ("a" * 40, "b" * 40):
        move_head(connection, project, MAIN, revision, by="git")
    assert lock_head(connection, project, MAIN) == find_head(connection, project, MAIN) == "b" * 40
    assert told_revisions(connection, project, MAIN) == {"a" * 40, "b" * 40}
    assert told_revisions(connection, other, MAIN) == frozenset()


def test_secrets_of_a_project_are_its_own_before_those_for_all(connection: Connection) -> None:
    """By name; those of other projects are nobody's business."""
    project, other = a_project(connection), a_project(connection)
    for owner, name in ((project, "ONE"), (None, "ONE"), (None, "TWO"), (other, "THREE"), (project, "FOUR")):
        row = secret_row(owner, name)
        set_secret(connection, owner, name, row.encode(), warnings=(), author="mia")
    found = secrets_of_project(connection, project, ["ONE", "TWO", "THREE"])
    assert {name: sealed.value.decode() for name, sealed in found.items()} == {
        "ONE": secret_row(project, "ONE"),
        "TWO": secret_row(None, "TWO"),
    }
    assert all(sealed.value.decode() == sealed.row for sealed in found.values())


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_what_is_asked_at_each_wake_is_served_by_an_index(connection: Connection) -> None:
    """It holds what is scheduled, in order: nothing is sorted, and no table is walked through."""
    for _ in range(20):
        plan = a_plan(connection)
        for number in range(10):
            _poll(connection, f"poll-{number}", plan)
    connection.execute(update(triggers).values(next_at=2**60))
    connection.exec_driver_sql("ANALYZE")
    asked: list[tuple[str, Any]] = []
    event.listen(connection, "before_cursor_execute", lambda *a: asked.append((a[2], a[3])))
    claim_due(connection, "a", 1000, 10, GIT)
    next_look_in(connection)
    plans = [
        [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
        for sql, values in asked.copy()
        if "FROM trigger" in sql or 'FROM "trigger"' in sql
    ]
    assert len(plans) == 2
    for steps in plans:
        assert any("ix_trigger_next_at" in step for step in steps), steps
        assert not any("TEMP B-TREE" in step for step in steps), steps
