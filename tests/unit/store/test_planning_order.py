"""Runs of one group take their places in the order in which they came, whichever is planned first."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from tailrace.domain.events import Event
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import Concurrency, Plan
from tailrace.domain.slots import Slots
from tailrace.store.planning import (
    PlanningWork,
    Resolved,
    claim_planning,
    end_planning,
    next_postponed_in,
    plan_run,
    postpone,
)
from tailrace.store.planning_order import OlderFirst, wait_behind
from tailrace.store.run_names import run_names
from tailrace.store.runs import get_run
from tests.unit.store.world import PUSH, a_job, a_plan, a_planning_run, planned

FORK = PUSH.model_copy(update={"from_fork": True})
OTHER = PUSH.model_copy(update={"ref": "refs/heads/next", "branch": "next"})


def claim(connection: Connection) -> dict[int, PlanningWork]:
    return {work.run_id: work for work in claim_planning(connection, "here", 60_000, Slots(10, 10, 10))}


def plan_of(cancel: bool = False, group: str = "deploy-${branch}") -> Plan:
    return planned(a_job("a"), concurrency=Concurrency(group=group, cancel_superseded=cancel))


def plan_it(
    connection: Connection, work: PlanningWork, plan: Plan | None = None, event: Event = PUSH
) -> bool:
    resolved = Resolved(event.revision or "", event.ref, event.branch, "Title", "Eve")
    return plan_run(connection, work, "jobs: {}", plan or plan_of(), resolved)


def two(connection: Connection, first: Event = PUSH, second: Event = PUSH) -> tuple[int, int]:
    plan = a_plan(connection)
    return tuple(a_planning_run(connection, plan_id=plan, event=event) for event in (first, second))  # type: ignore[return-value]


def test_a_run_waits_until_the_older_one_was_planned(connection: Connection) -> None:
    older, newer = two(connection)
    claimed = claim(connection)
    with pytest.raises(OlderFirst) as waits, connection.begin_nested():
        plan_it(connection, claimed[newer])
    wait_behind(connection, newer, "here", waits.value.older)
    shown = get_run(connection, newer)
    assert (shown.state, shown.detail) == (
        "planning",
        f"run {run_names(connection, [older])[0]}, of the same concurrency group, came before it and is still being planned",
    )
    assert claim(connection) == {}, "not at once"
    assert next_postponed_in(connection) is not None, (
        "and after a moment all the same, if the server of the older one dies"
    )
    assert plan_it(connection, claimed[older])
    again = claim(connection)
    assert set(again) == {newer}
    assert plan_it(connection, again[newer])
    assert [get_run(connection, run).jobs[0].state for run in (older, newer)] == ["pending", "waiting"]
    assert get_run(connection, newer).detail is None


def test_the_end_of_the_older_one_lets_it_go_on(connection: Connection) -> None:
    older, newer = two(connection)
    work = claim(connection)[newer]
    wait_behind(connection, newer, "here", older)
    end_planning(connection, older, "skip", Reason.FILTERED.value, "not wanted", "here")
    again = claim(connection)
    assert set(again) == {newer}
    assert plan_it(connection, work)


def test_who_waits_for_the_repository_is_not_asked_sooner(connection: Connection) -> None:
    older, newer = two(connection)
    claimed = claim(connection)
    postpone(connection, claimed[newer], "away", 60_000, away=False)
    assert plan_it(connection, claimed[older])
    assert claim(connection) == {}


def test_where_the_newer_one_ends_the_older_it_does_so_before_that_is_planned(connection: Connection) -> None:
    older, newer = two(connection)
    claimed = claim(connection)
    assert plan_it(connection, claimed[newer], plan_of(cancel=True))
    shown = get_run(connection, older)
    assert (shown.state, shown.reason) == ("aborted", "superseded_by")
    assert shown.detail == f"superseded by run {run_names(connection, [newer])[0]}"
    assert not plan_it(connection, claimed[older], plan_of(cancel=True))
    assert get_run(connection, newer).jobs[0].state == "pending"


@pytest.mark.parametrize(
    ("first", "second", "terms"),
    [
        (OTHER, PUSH, {}),
        (FORK, PUSH, {}),
        (PUSH, FORK, {}),
        (PUSH, PUSH, {"group": "x-${revision}"}),
        (PUSH, PUSH, None),
    ],
    ids=["another branch", "a fork's first", "a fork's second", "another group", "no group"],
)
def test_others_wait_for_nobody(
    connection: Connection, first: Event, second: Event, terms: dict[str, Any] | None
) -> None:
    first = first.model_copy(update={"revision": "b" * 40})
    older, newer = two(connection, first, second)
    plan = planned(a_job("a")) if terms is None else plan_of(**terms)
    assert plan_it(connection, claim(connection)[newer], plan, second)
    assert get_run(connection, older).state == "planning"


def test_the_older_one_waits_for_no_newer_one(connection: Connection) -> None:
    older, newer = two(connection)
    assert plan_it(connection, claim(connection)[older])
    assert get_run(connection, newer).state == "planning"
