"""Runs of one group take their places in the order in which they came, whichever is planned first."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import Connection

from tailrace.domain.events import Event
from tailrace.domain.filters import Filter, On
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import Concurrency, Plan
from tailrace.domain.slots import Slots
from tailrace.store import Store
from tailrace.store.jobs import lock_run
from tailrace.store.planning import (
    PlanningWork,
    Resolved,
    claim_planning,
    end_planning,
    next_postponed_in,
    plan_run,
    postpone,
    renew_claims,
)
from tailrace.store.planning_order import OlderFirst, wait_behind
from tailrace.store.postgres import PostgresStore
from tailrace.store.run_names import run_names
from tailrace.store.runs import create_run, get_run
from tests.unit.store.conftest import overlapping
from tests.unit.store.world import PUSH, a_job, a_plan, a_planning_run, new_run, planned

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


def at_once(connection: Connection, plan: int, terms: Plan, **of: Any) -> int:
    return create_run(connection, new_run(connection, None, plan_id=plan, plan=terms, **of))


@pytest.mark.parametrize("terms", [{"concurrency": Concurrency(group="deploy")}, {"max_parallel": 1}])
def test_a_run_that_could_be_planned_at_once_comes_behind_an_older_one_that_is_still_being_planned(
    connection: Connection, terms: dict[str, Any]
) -> None:
    """As of a plan that is kept in the server: the older run lacks its paths or its revision, the newer one nothing."""
    id, grouped = a_plan(connection), planned(a_job("a"), **terms)
    older = a_planning_run(connection, plan_id=id)
    newer = at_once(connection, id, grouped)
    assert get_run(connection, newer).state == "planning"
    claimed = claim(connection)
    assert claimed[newer].event == PUSH, "the plan's `on` is asked about it"
    with pytest.raises(OlderFirst), connection.begin_nested():
        plan_it(connection, claimed[newer], grouped)
    assert plan_it(connection, claimed[older], grouped)
    assert plan_it(connection, claimed[newer], grouped)
    assert [get_run(connection, run).jobs[0].state for run in (older, newer)] == ["pending", "waiting"]


@pytest.mark.parametrize(
    ("first", "second", "terms"),
    [
        (FORK, PUSH, {"max_parallel": 1}),
        (PUSH, FORK, {"max_parallel": 1}),
        (PUSH, PUSH, {}),
        (None, PUSH, {"max_parallel": 1}),
    ],
    ids=["a fork's first", "a fork's second", "no group", "another plan"],
)
def test_what_has_nobody_before_it_is_planned_at_once(
    connection: Connection, first: Event | None, second: Event, terms: dict[str, Any]
) -> None:
    id = a_plan(connection)
    a_planning_run(connection, plan_id=None if first is None else id, event=first or PUSH)
    newer = at_once(connection, id, planned(a_job("a"), **terms), event=second)
    assert get_run(connection, newer).state == "pending"


def test_max_parallel_is_a_group_of_all_runs_of_the_plan(connection: Connection) -> None:
    older, newer = two(connection, OTHER)
    claimed, terms = claim(connection), planned(a_job("a"), max_parallel=1)
    with pytest.raises(OlderFirst) as waits, connection.begin_nested():
        plan_it(connection, claimed[newer], terms)
    assert waits.value.older == older


@pytest.mark.parametrize("cancel", [True, False])
def test_an_older_run_that_the_plan_does_not_want_is_left_alone(connection: Connection, cancel: bool) -> None:
    """Its own end says why there is none; but one whose paths are not known may be wanted."""
    terms = plan_of(cancel, group="deploy")
    filters = Filter(branches=("main",), paths=("src",))
    terms = terms.model_copy(update={"on": On(push=filters)})
    docs = PUSH.model_copy(update={"changed": ("docs/x",)})
    for unwanted in (OTHER, docs):
        older, newer = two(connection, unwanted)
        assert plan_it(connection, claim(connection)[newer], terms)
        assert get_run(connection, older).state == "planning"
    older, newer = two(connection)
    work = claim(connection)[newer]
    if cancel:
        assert plan_it(connection, work, terms)
        assert get_run(connection, older).reason == "superseded_by"
    else:
        with pytest.raises(OlderFirst):
            plan_it(connection, work, terms)


def test_each_run_frees_the_next_one(connection: Connection) -> None:
    """What waits behind others would be read in vain."""
    plan = a_plan(connection)
    runs = [a_planning_run(connection, plan_id=plan) for _ in range(4)]
    claimed = claim(connection)
    for run, before in zip(runs[1:], runs, strict=False):
        with pytest.raises(OlderFirst) as waits, connection.begin_nested():
            plan_it(connection, claimed[run])
        assert waits.value.older == before
        wait_behind(connection, run, "here", before)
    assert plan_it(connection, claimed[runs[0]])
    for run in runs[1:]:
        (work,) = claim(connection).values()
        assert work.run_id == run
        assert plan_it(connection, work)


def test_who_would_wait_for_one_that_was_planned_meanwhile_is_planned_at_once(connection: Connection) -> None:
    older, newer = two(connection)
    claimed = claim(connection)
    with pytest.raises(OlderFirst), connection.begin_nested():
        plan_it(connection, claimed[newer])
    assert plan_it(connection, claimed[older])
    wait_behind(connection, newer, "here", older)
    assert get_run(connection, newer).detail is None
    assert set(claim(connection)) == {newer}


async def test_who_begins_to_wait_while_the_older_one_is_planned_is_planned_at_once(store: Store) -> None:
    """It waits for that to be written, and sees it."""
    older, newer = await store.write(two)
    claimed = await store.write(claim)
    await overlapping(
        store,
        lambda connection: plan_it(connection, claimed[older]),
        lambda connection: wait_behind(connection, newer, "here", older),
    )
    assert set(await store.write(claim)) == {newer}


def test_only_who_claimed_a_run_gives_it_back(connection: Connection) -> None:
    older, newer = two(connection)
    claim(connection)
    wait_behind(connection, newer, "there", older)
    assert get_run(connection, newer).detail is None
    assert claim(connection) == {}


async def test_claims_are_renewed_beside_a_run_that_ends_older_ones(store: Store) -> None:
    """On PostgreSQL whoever renews them waits for nobody: with the older one's row held that would be a deadlock."""
    older, newer = await store.write(two)
    claimed = await store.write(claim)
    tries = {"plan": 0, "renew": 0}
    held, renewed = threading.Event(), threading.Event()

    def plan(connection: Connection) -> bool:
        tries["plan"] += 1
        lock_run(connection, newer)
        held.set()
        if isinstance(store, PostgresStore):
            assert renewed.wait(30), "who renews claims waits for the run that is being planned"
        return plan_it(connection, claimed[newer], plan_of(cancel=True))

    def renew(connection: Connection) -> None:
        tries["renew"] += 1
        assert held.wait(30)
        renew_claims(connection, "here", 120_000)
        renewed.set()

    planning = asyncio.create_task(store.write(plan))
    await asyncio.to_thread(held.wait)
    await store.write(renew)
    assert await planning
    assert tries == {"plan": 1, "renew": 1}
    assert (await store.read(get_run, older)).reason == "superseded_by"
