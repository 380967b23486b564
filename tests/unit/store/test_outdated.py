"""A pull request from a fork asks about one of its commits at a time: the newest that asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from tailrace.domain.approvals import ApprovalState
from tailrace.domain.events import Event, EventKind
from tailrace.domain.slots import Slots
from tailrace.store import Store
from tailrace.store.approvals import ApprovalFilter, decide, list_approvals
from tailrace.store.planning import PlanningWork, Resolved, claim_planning, plan_run
from tailrace.store.plans import create_plan
from tailrace.store.pull_requests import end_questions
from tailrace.store.reopening import retry_failed
from tailrace.store.runs import create_run, get_run, run_again
from tests.unit.store.conftest import overlapping
from tests.unit.store.world import (
    PUSH,
    a_job,
    a_planning_run,
    a_project,
    a_run,
    an_agent,
    lease,
    planned,
)

PULL = PUSH.model_copy(
    update={"kind": EventKind.PULL_REQUEST, "ref": "refs/pull/7/head", "from_fork": True, "branch": "theirs"}
)
NEWER = PULL.model_copy(update={"revision": "b" * 40})


def a_plan(connection: Connection, project: int | None = None, name: str = "default") -> int:
    """One that can be read again, as it is when its run is allowed."""
    text = "jobs: {test: {steps: [{run: make}]}}"
    return create_plan(connection, project or a_project(connection), name, definition=text).id


def asked(connection: Connection) -> list[int]:
    """The runs about which people are asked, oldest first."""
    return sorted(one.run for one in list_approvals(connection, ApprovalFilter(ApprovalState.OPEN)))


def allow(connection: Connection, run: int) -> None:
    (one,) = list_approvals(connection, ApprovalFilter(ApprovalState.OPEN, run=run))
    decide(connection, one.id, approve=True, by="Bob", why=None)


@pytest.mark.parametrize("event", [NEWER, PULL])
def test_a_newer_question_takes_the_place_of_an_older_one(connection: Connection, event: Event) -> None:
    """Of new commits, and of the same that was closed and reopened."""
    plan = a_plan(connection)
    older = a_run(connection, plan_id=plan, event=PULL)
    newer = a_run(connection, plan_id=plan, event=event)
    shown = get_run(connection, older)
    name = f"{shown.project_name}#{get_run(connection, newer).number}"
    assert (shown.state, shown.reason) == ("aborted", "superseded_by")
    assert shown.detail == f"job test: superseded by run {name}"
    assert asked(connection) == [newer]
    assert get_run(connection, newer).state == "pending"


def test_only_of_the_same_plan_and_pull_request(connection: Connection) -> None:
    """And only where strangers have a word."""
    project = a_project(connection)
    plan, other = a_plan(connection, project), a_plan(connection, project, "other")
    first = a_run(connection, plan_id=plan, event=PULL)
    by_hand = PULL.model_copy(update={"kind": EventKind.MANUAL})
    runs = [
        a_run(connection, plan_id=plan, event=NEWER.model_copy(update={"ref": "refs/pull/8/head"})),
        a_run(connection, plan_id=other, event=NEWER),
        a_run(connection, plan_id=plan, event=by_hand),
    ]
    own = a_run(connection, plan_id=plan, event=NEWER.model_copy(update={"from_fork": False}))
    assert asked(connection) == [first, *runs]
    assert get_run(connection, own).state == "pending"


def test_what_was_allowed_goes_on(connection: Connection) -> None:
    """Nobody is asked about it any more: to end it is for `concurrency`."""
    agent = an_agent(connection)
    plan = a_plan(connection)
    older = a_run(connection, plan_id=plan, event=PULL)
    allow(connection, older)
    newer = a_run(connection, plan_id=plan, event=NEWER)
    assert asked(connection) == [newer]
    assert [one.run for one in lease(connection, agent, free=5)] == [older]


def test_a_newer_run_that_has_nothing_to_ask_leaves_the_question(connection: Connection) -> None:
    """Its plan did not want the event, or no job of it can begin."""
    plan = a_plan(connection)
    older = a_run(connection, plan_id=plan, event=PULL)
    a_planning_run(connection, plan_id=plan, event=NEWER)
    never = a_job("test").model_copy(update={"condition": "failure"})
    newer = a_run(connection, never, plan_id=plan, event=NEWER)
    assert get_run(connection, newer).state == "skipped"
    assert asked(connection) == [older]


def test_the_older_run_may_be_planned_after_the_newer_one(connection: Connection) -> None:
    """It ends without having asked: it never takes the place of a newer one."""
    plan = a_plan(connection)
    older = a_planning_run(connection, plan_id=plan, event=PULL)
    newer = a_run(connection, plan_id=plan, event=NEWER)
    (work,) = claim_planning(connection, "a", 1000, Slots(9, 9, 9))
    found = Resolved("a" * 40, None, None, None, None)
    assert plan_run(connection, work, "text", planned(a_job("test")), found)
    assert (get_run(connection, older).state, get_run(connection, older).reason) == (
        "aborted",
        "superseded_by",
    )
    assert asked(connection) == [newer]
    assert list_approvals(connection, ApprovalFilter(run=older)) == []


def test_what_people_want_again_is_asked_beside_the_newest(connection: Connection) -> None:
    """In its run, or in a new one: of an older commit it takes no newer one's place."""
    plan = a_plan(connection)
    older = a_run(connection, plan_id=plan, event=PULL)
    newer = a_run(connection, plan_id=plan, event=NEWER)
    retry_failed(connection, older)
    assert asked(connection) == [older, newer]

    def again(run: int) -> int:
        return create_run(
            connection, replace(run_again(connection, run, "Ada"), planned=planned(a_job("test")))
        )

    third = again(older)
    assert asked(connection) == [newer, third], "the same commit"
    fourth = again(newer)
    assert asked(connection) == [third, fourth]


@pytest.mark.parametrize("how", ["closed", "merged"])
def test_the_end_of_a_pull_request_ends_what_nobody_let_begin(connection: Connection, how: str) -> None:
    """Of all plans, and what would have asked."""
    project = a_project(connection)
    plan, other, third = (a_plan(connection, project, name) for name in ("a", "b", "c"))
    allowed = a_run(connection, plan_id=plan, event=PULL)
    allow(connection, allowed)
    waiting = [a_run(connection, plan_id=one, event=NEWER) for one in (plan, other)]
    planning = a_planning_run(connection, plan_id=third, event=NEWER)
    stay = [
        a_run(connection, plan_id=plan, event=NEWER.model_copy(update={"ref": "refs/pull/8/head"})),
        a_run(connection, plan_id=a_plan(connection), event=PULL),
    ]
    assert end_questions(connection, project, "refs/pull/7/head", how) == (*waiting, planning)
    for run in (*waiting, planning):
        shown = get_run(connection, run)
        assert (shown.state, shown.reason) == ("aborted", "aborted_by")
        assert (shown.detail or "").endswith(f"aborted by the end of its pull request: it was {how}")
    assert asked(connection) == stay
    assert get_run(connection, allowed).state == "pending"


@pytest.mark.parametrize("what", ["newer run", "end"])
async def test_what_is_allowed_at_the_same_moment_goes_on(store: Store, what: str) -> None:
    """Whoever would end it waits for who decides, and finds it decided."""

    def begin(connection: Connection) -> tuple[int, int, int]:
        project = a_project(connection)
        plan = a_plan(connection, project)
        return project, plan, a_run(connection, plan_id=plan, event=PULL)

    project, plan, older = await store.write(begin)

    def end(connection: Connection) -> None:
        if what == "end":
            assert end_questions(connection, project, "refs/pull/7/head", "closed") == ()
        else:
            a_run(connection, plan_id=plan, event=NEWER)

    await overlapping(store, lambda connection: allow(connection, older), end)
    assert (await store.read(get_run, older)).jobs[0].state == "pending"


@pytest.mark.parametrize("first", ["older", "newer"])
async def test_commits_that_are_planned_at_the_same_moment_leave_one_question(
    store: Store, first: str
) -> None:
    """About the newer, whichever asks first."""

    def begin(connection: Connection) -> list[PlanningWork]:
        plan = a_plan(connection)
        for event in (PULL, NEWER):
            a_planning_run(connection, plan_id=plan, event=event)
        return claim_planning(connection, "a", 60_000, Slots(9, 9, 9))

    older, newer = await store.write(begin)
    found = Resolved("a" * 40, None, None, None, None)

    def plan_it(work: PlanningWork) -> Callable[[Connection], bool]:
        return lambda connection: plan_run(connection, work, "text", planned(a_job("test")), found)

    works = (older, newer) if first == "older" else (newer, older)
    assert await overlapping(store, plan_it(works[0]), plan_it(works[1])) == (True, True)
    assert await store.read(asked) == [newer.run_id]
    assert (await store.read(get_run, older.run_id)).reason == "superseded_by"
