"""Runs of a concurrency group take turns, and a newer one can end those before it; jobs are tried again."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import Connection

from tailrace.domain.events import Event, EventKind
from tailrace.domain.plan import Concurrency, Retry
from tailrace.domain.slots import Slots
from tailrace.domain.states import AttemptState
from tailrace.store import Store
from tailrace.store.aborts import abort_run, attempts_to_abort
from tailrace.store.leases import end_lapsed, find_lapsed
from tailrace.store.planning import Resolved, claim_planning, plan_run
from tailrace.store.run_names import run_names
from tailrace.store.runs import create_run, get_run
from tailrace.store.turns import turn_of
from tests.unit.store.world import (
    PUSH,
    a_job,
    a_plan,
    a_planning_run,
    a_project,
    an_agent,
    finish,
    lease,
    new_run,
    planned,
    start,
)

MAIN = Concurrency(group="test-${branch}")
CANCEL = Concurrency(group="test-${branch}", cancel_superseded=True)


def run_of(connection: Connection, plan: int, **terms: Any) -> int:
    return create_run(connection, new_run(connection, None, plan_id=plan, plan=planned(a_job("a"), **terms)))


def state(connection: Connection, run: int) -> str:
    return get_run(connection, run).state


def test_a_run_waits_for_the_one_before_it(connection: Connection) -> None:
    """Its jobs wait; what it waits for can be told; when the other ends, however it ends, it goes on."""
    plan, agent = a_plan(connection), an_agent(connection)
    first, second, third = (run_of(connection, plan, concurrency=MAIN) for _ in range(3))
    assert get_run(connection, second).jobs[0].state == "waiting"
    turn = turn_of(connection, second)
    assert turn is not None
    assert turn.holders == (first,)
    (held,) = lease(connection, agent, free=5)
    assert held.run == first
    finish(connection, agent, held.attempt)
    assert turn_of(connection, second) is None
    (held,) = lease(connection, agent, free=5)
    assert held.run == second
    assert abort_run(connection, second, "kim") == [agent]
    start(connection, agent, held.attempt)
    finish(connection, agent, held.attempt, AttemptState.ABORTED)
    assert [held.run for held in lease(connection, agent, free=5)] == [third]


def test_other_branches_and_projects_are_other_groups(connection: Connection) -> None:
    """The group's name is the project's own."""
    runs = [run_of(connection, a_plan(connection), concurrency=MAIN) for _ in range(2)]
    assert sorted(held.run for held in lease(connection, an_agent(connection), free=5)) == sorted(runs)


def test_a_pull_request_of_a_branch_called_main_is_not_of_mains_group(connection: Connection) -> None:
    """It neither waits for main's runs nor supersedes them; its next one does supersede it."""
    plan, agent = a_plan(connection), an_agent(connection)
    change = Event(kind=EventKind.PULL_REQUEST, ref="refs/pull/7/head", branch="main")
    terms = planned(a_job("a"), concurrency=CANCEL)
    main, first, second = (
        create_run(connection, new_run(connection, None, plan_id=plan, plan=terms, event=event))
        for event in (PUSH, change, change)
    )
    assert [state(connection, run) for run in (main, first, second)] == ["pending", "aborted", "pending"]
    assert sorted(held.run for held in lease(connection, agent, free=5)) == [main, second]


def test_an_aborted_run_that_waited_leaves_the_line(connection: Connection) -> None:
    """The one behind it moves up."""
    plan, agent = a_plan(connection), an_agent(connection)
    first, second, third = (run_of(connection, plan, concurrency=MAIN) for _ in range(3))
    abort_run(connection, second, "kim")
    assert state(connection, second) == "aborted"
    (held,) = lease(connection, agent, free=5)
    assert (held.run, turn_of(connection, third).holders) == (first, (first,))  # type: ignore[union-attr]
    finish(connection, agent, held.attempt)
    assert [held.run for held in lease(connection, agent, free=5)] == [third]


def test_a_newer_run_supersedes_those_before_it(connection: Connection) -> None:
    """What waited ends at once, what runs is ended by its agent; the reason names the newer run."""
    plan, agent = a_plan(connection), an_agent(connection)
    first = run_of(connection, plan, concurrency=CANCEL)
    (held,) = lease(connection, agent, free=5)
    start(connection, agent, held.attempt)
    second = run_of(connection, plan, concurrency=CANCEL)
    third = run_of(connection, plan, concurrency=CANCEL)
    shown = get_run(connection, second)
    assert (shown.state, shown.reason) == ("aborted", "superseded_by")
    assert shown.jobs[0].detail == f"superseded by run {run_names(connection, [third])[0]}"
    assert [(one.attempt_id, one.by) for one in attempts_to_abort(connection, agent)] == [
        (held.attempt, f"run {run_names(connection, [second])[0]}")
    ]
    assert lease(connection, agent, free=5) == [], "the first has not ended yet"
    finish(connection, agent, held.attempt, AttemptState.ABORTED)
    shown = get_run(connection, first)
    assert (shown.state, shown.reason) == ("aborted", "superseded_by")
    assert [held.run for held in lease(connection, agent, free=5)] == [third]


def test_an_older_run_that_comes_to_its_group_later_ends_and_not_the_newer_one(
    connection: Connection,
) -> None:
    """As where its commit was found later: what is newest stays, whatever its state. They are of two plans: runs of one wait."""
    project, agent = a_project(connection), an_agent(connection)
    older = a_planning_run(connection, plan_id=a_plan(connection, project, "other"))
    newer = run_of(connection, a_plan(connection, project), concurrency=CANCEL)
    (held,) = lease(connection, agent, free=5)
    assert held.run == newer
    (work,) = claim_planning(connection, "here", 60_000, Slots(1, 1, 1))
    resolved = Resolved("c" * 40, "refs/heads/main", "main", "Title", "Eve")
    assert plan_run(connection, work, "jobs: {}", planned(a_job("a"), concurrency=CANCEL), resolved)
    shown = get_run(connection, older)
    assert (shown.state, shown.reason) == ("aborted", "superseded_by")
    assert shown.jobs[0].detail == f"superseded by run {run_names(connection, [newer])[0]}"
    assert attempts_to_abort(connection, agent) == []
    assert get_run(connection, newer).reason is None


def test_a_plan_may_have_a_few_runs_at_once(connection: Connection) -> None:
    """max_parallel: as many as it says, in their order."""
    plan, agent = a_plan(connection), an_agent(connection)
    runs = [run_of(connection, plan, max_parallel=2) for _ in range(4)]
    held = lease(connection, agent, free=5)
    assert [one.run for one in held] == runs[:2]
    finish(connection, agent, held[1].attempt)
    assert [one.run for one in lease(connection, agent, free=5)] == [runs[2]]


def test_a_run_is_called_by_its_projects_name_and_its_number(connection: Connection) -> None:
    """Its id is another number: the first run of a second project is not number 2."""
    first, second = a_project(connection, "shop"), a_project(connection, "web")
    one, other = a_plan(connection, first), a_plan(connection, second)
    runs = [run_of(connection, plan) for plan in (one, one, other)]
    assert run_names(connection, runs[::-1]) == ["web#1", "shop#2", "shop#1"]
    assert run_names(connection, []) == []


async def test_runs_that_come_at_once_take_turns_all_the_same(store: Store) -> None:
    """Whatever the order of their transactions: at any time one is under way, and all get their turn."""
    plan = await store.write(a_plan)
    agent = await store.write(an_agent)
    runs = await asyncio.gather(*(store.write(run_of, plan, concurrency=MAIN) for _ in range(6)))
    seen: list[int] = []
    while held := await store.write(lease, agent, free=6):
        assert len(held) == 1
        seen.append(held[0].run)
        await store.write(finish, agent, held[0].attempt)
    assert sorted(seen) == sorted(runs)


def test_a_job_is_tried_again_after_the_reasons_that_its_plan_names(connection: Connection) -> None:
    """As often as it says; the run ends with the last attempt."""
    job = a_job("a").model_copy(update={"retry": Retry(max=1, on=("exit_code",))})
    run = create_run(connection, new_run(connection, [job]))
    agent = an_agent(connection)
    for number in (1, 2):
        (held,) = lease(connection, agent)
        assert held.number == number
        start(connection, agent, held.attempt)
        finish(connection, agent, held.attempt, AttemptState.FAILED)
    shown = get_run(connection, run)
    assert (shown.state, [one.state for one in shown.jobs[0].attempts]) == ("failed", ["failed", "failed"])


def test_a_lost_agents_job_goes_to_another_where_the_plan_says_so(connection: Connection) -> None:
    """The default of `retry`."""
    job = a_job("a").model_copy(update={"retry": Retry(max=1)})
    run = create_run(connection, new_run(connection, [job]))
    agent = an_agent(connection)
    (held,) = lease(connection, agent, lease_ms=-1)
    start(connection, agent, held.attempt)
    (lapsed,) = find_lapsed(connection)
    ended = end_lapsed(connection, lapsed, 0)
    assert ended is not None
    assert ended.queued
    assert state(connection, run) == "running"
    assert lease(connection, an_agent(connection, name="other"))[0].number == 2
