"""Runs: numbered per project, listed newest first, shown whole."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection

from tailrace.domain.errors import NotFound
from tailrace.domain.events import Event, EventKind
from tailrace.domain.states import AttemptState, RunState
from tailrace.store import Store
from tailrace.store.projects import remove_project
from tailrace.store.runs import (
    NewRun,
    RunFilter,
    create_run,
    get_run,
    list_runs,
    run_again,
    runs_under_way,
    summaries,
)
from tests.unit.store.conftest import overlapping
from tests.unit.store.world import (
    PUSH,
    a_job,
    a_plan,
    a_planning_run,
    a_project,
    a_run,
    an_agent,
    finish,
    lease,
    new_run,
    start,
    states,
)


def test_a_run_shows_what_it_was_made_of(connection: Connection) -> None:
    project = a_project(connection, "tailrace")
    plan = a_plan(connection, project)
    run = get_run(
        connection, a_run(connection, a_job("b"), a_job("a", needs=["b"], labels=["linux"]), plan_id=plan)
    )
    assert (run.project_name, run.plan_name, run.plan_version, run.number) == ("tailrace", "default", 1, 1)
    assert (run.revision, run.branch, run.ref, run.title, run.author) == (
        "a" * 40,
        "main",
        "refs/heads/main",
        "Fix it",
        "Ada",
    )
    assert run.trigger.model_dump() == {
        "id": None,
        "kind": "webhook",
        "by": "Ada",
        "event": "push",
        "delivery": None,
    }
    assert [(job.name, job.needs, job.labels, job.state) for job in run.jobs] == [
        ("b", (), (), "pending"),
        ("a", ("b",), ("linux",), "waiting"),
    ], "in the plan's order"
    assert [len(job.attempts) for job in run.jobs] == [1, 0]
    assert run.created_at <= run.jobs[0].created_at


def test_numbers_count_the_runs_of_a_project(connection: Connection) -> None:
    plans = [a_plan(connection), a_plan(connection)]
    runs = [a_run(connection, plan_id=plans[n % 2]) for n in range(4)]
    assert [get_run(connection, id).number for id in runs] == [1, 1, 2, 2]


async def test_runs_made_at_once_have_numbers_of_their_own(store: Store) -> None:
    plan = await store.write(a_plan)

    def make(connection: Connection) -> int:
        return get_run(connection, a_run(connection, plan_id=plan)).number

    assert sorted(await asyncio.gather(*(store.write(make) for _ in range(30)))) == list(range(1, 31))


def test_a_run_without_jobs_yet_is_planning_and_one_with_none_is_skipped(connection: Connection) -> None:
    planning = get_run(connection, a_planning_run(connection))
    assert (planning.state, planning.jobs, planning.plan_version) == (RunState.PLANNING, (), 1)
    empty = get_run(connection, create_run(connection, new_run(connection, ())))
    assert (empty.state, empty.jobs) == (RunState.SKIPPED, ())
    assert empty.finished_at is not None


def test_an_unknown_run_is_not_found(connection: Connection) -> None:
    for act in (lambda: get_run(connection, 10**9), lambda: run_again(connection, 10**9, "Ada")):
        with pytest.raises(NotFound, match="there is no run 1000000000"):
            act()
    assert summaries(connection, [10**9]) == []
    assert summaries(connection, []) == []


def test_runs_are_listed_newest_first_and_filtered(connection: Connection) -> None:
    one, two = a_plan(connection), a_plan(connection)
    other = PUSH.model_copy(update={"branch": "other"})
    a = a_run(connection, plan_id=one)
    b = a_run(connection, plan_id=two, event=other)
    c = a_planning_run(connection, plan_id=one)

    def listed(**wanted: object) -> list[int]:
        return [run.id for run in list_runs(connection, RunFilter(**wanted))]  # type: ignore[arg-type]

    assert listed() == [c, b, a]
    assert listed(limit=2) == [c, b]
    assert listed(before=b) == [a]
    assert listed(plan=one) == [c, a]
    assert listed(project=get_run(connection, b).project) == [b]
    assert listed(branch="main") == [c, a]
    assert listed(state=RunState.PLANNING) == [c]
    assert listed(state=RunState.PENDING, plan=one, branch="main") == [a]
    assert listed(state=RunState.PASSED) == []


def test_a_run_names_its_agents_in_the_order_in_which_they_came(connection: Connection) -> None:
    run = a_run(connection, a_job("a"), a_job("b"), a_job("c"))
    for name in ("zoe", "adam"):
        agent = an_agent(connection, name=name)
        lease(connection, agent, free=1)
    lease(connection, agent, free=1)
    assert get_run(connection, run).agents == ("zoe", "adam")
    assert list_runs(connection, RunFilter())[0].agents == ("zoe", "adam")


def test_a_run_is_made_again_of_the_same_things(connection: Connection) -> None:
    event = Event(
        kind=EventKind.PUSH, ref="refs/tags/v1", branch="v1", revision="b" * 40, title="T", author="A"
    )
    first = get_run(connection, a_run(connection, event=event))
    new = run_again(connection, first.id, "Bob")
    again = get_run(connection, create_run(connection, new))
    assert again.number == first.number + 1
    same = ("plan", "plan_version", "revision", "ref", "branch", "title", "author", "variables")
    assert {name: getattr(again, name) for name in same} == {name: getattr(first, name) for name in same}
    assert (again.trigger.kind, again.trigger.by, again.state) == ("manual", "Bob", RunState.PLANNING)


def test_the_first_job_that_failed_gives_the_run_its_reason(connection: Connection) -> None:
    run = a_run(connection, a_job("a"), a_job("b"))
    agent = an_agent(connection)
    first, second = lease(connection, agent, free=2)
    for held in (first, second):
        start(connection, agent, held.attempt)
    finish(connection, agent, second.attempt, AttemptState.ABORTED)
    finish(connection, agent, first.attempt, AttemptState.FAILED)
    view = get_run(connection, run)
    assert states(view) == {"run": "failed", "a": "failed", "b": "aborted"}
    assert (view.reason, view.detail) == ("exit_code", "job a: it ended with 2")
    assert view.started_at is not None
    assert view.finished_at is not None


def test_the_runs_of_a_branch_are_not_those_of_pull_requests_of_its_name(connection: Connection) -> None:
    """Those are found by their refs."""
    plan = a_plan(connection)
    change = Event(kind=EventKind.PULL_REQUEST, ref="refs/pull/7/head", branch="main", from_fork=True)
    main, strange = a_run(connection, plan_id=plan), a_planning_run(connection, plan_id=plan, event=change)
    project = get_run(connection, main).project
    assert runs_under_way(connection, project, "main") == [main]
    assert runs_under_way(connection, project, "refs/pull/7/head") == [strange]


async def test_no_run_comes_after_its_project_was_removed(store: Store) -> None:
    """Also where its event was accepted before that: whoever removes a project ends what there is then."""

    def begin(connection: Connection) -> tuple[int, NewRun]:
        project = a_project(connection)
        return project, new_run(connection, [a_job("a")], plan_id=a_plan(connection, project))

    project, new = await store.write(begin)

    with pytest.raises(NotFound, match=f"project {project}"):
        await overlapping(
            store,
            lambda connection: remove_project(connection, project),
            lambda connection: create_run(connection, new),
        )
    assert await store.read(runs_under_way, project) == []
