"""Jobs of a concurrency group take turns, also those of other runs; a matrix has no more jobs under way than it may, and one that
fails ends the others where the plan says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from tailrace.dispatch.why import explain, what_holds
from tailrace.domain.plan import Concurrency, JobSpec, Plan, Retry, parse_plan
from tailrace.domain.states import AttemptState
from tailrace.store import Store
from tailrace.store.aborts import abort_run, agents_to_tell, attempts_to_abort
from tailrace.store.approvals import decide
from tailrace.store.asking import open_approvals
from tailrace.store.environments import Terms, create_environment
from tailrace.store.reopening import retry_job
from tailrace.store.run_names import run_names
from tailrace.store.runs import create_run, get_run
from tailrace.store.start_timeouts import find_late, give_up
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import job as jobs
from tests.unit.store.world import (
    PUSH,
    a_job,
    a_plan,
    a_project,
    an_agent,
    finish,
    jobs_by_name,
    lease,
    new_run,
    start,
    states,
)

DEPLOY = Concurrency(group="deploy-${branch}")
NEWEST = Concurrency(group="deploy-${branch}", cancel_superseded=True)
BUILD = a_job("build")


def deploys(concurrency: Concurrency = DEPLOY, **terms: Any) -> JobSpec:
    return a_job("deploy").model_copy(update={"concurrency": concurrency, **terms})


def run_of(connection: Connection, plan: int, *specs: JobSpec) -> int:
    return create_run(connection, new_run(connection, specs, plan_id=plan))


def matrix_run(connection: Connection, text: str) -> int:
    plan: Plan = parse_plan(f"jobs:\n  test: {{matrix: {{x: [a, b, c]}}, {text}, steps: [{{run: make}}]}}\n")
    return create_run(connection, new_run(connection, None, plan=plan))


def why(connection: Connection, run: int, name: str) -> str | None:
    return explain(jobs_by_name(connection, run)[name], (), what_holds(connection, run))


def leased(connection: Connection, agent: int) -> dict[tuple[int, str], int]:
    """What the agent gets, with its attempt."""
    return {(one.run, one.job.name): one.attempt for one in lease(connection, agent, free=9)}


def test_a_job_shows_its_group_and_the_terms_of_its_matrix(connection: Connection) -> None:
    """The group with its placeholders until the job is in line, then as it is; by the plan's name for it."""
    plan, agent = a_plan(connection), an_agent(connection)
    run = run_of(connection, plan, BUILD, deploys(needs=("build",)))
    assert jobs_by_name(connection, run)["deploy"].concurrency == "deploy-${branch}"
    assert jobs_by_name(connection, run)["build"].concurrency is None
    finish(connection, agent, leased(connection, agent)[run, "build"])
    assert jobs_by_name(connection, run)["deploy"].concurrency == "deploy-main"
    shown = get_run(connection, matrix_run(connection, "max_parallel: 2, fail_fast: true")).jobs
    assert {(job.matrix, job.max_parallel, job.fail_fast) for job in shown} == {("test", 2, True)}
    (plain,) = get_run(connection, run_of(connection, plan, BUILD)).jobs
    assert (plain.matrix, plain.max_parallel, plain.fail_fast) == (None, None, False)


def test_a_job_waits_for_that_of_a_run_before_it(connection: Connection) -> None:
    """Only this job: what else its run has goes on. Who comes first is who could begin first, and it is told whom one waits for."""
    plan, agent = a_plan(connection), an_agent(connection)
    first, second = (run_of(connection, plan, BUILD, deploys(needs=("build",))) for _ in range(2))
    held = leased(connection, agent)
    assert set(held) == {(first, "build"), (second, "build")}
    finish(connection, agent, held[second, "build"])
    finish(connection, agent, held[first, "build"])
    assert states(get_run(connection, first)) == {"run": "running", "build": "passed", "deploy": "waiting"}
    other = run_names(connection, [second])[0]
    said = why(connection, first, "deploy")
    assert said is not None
    assert said.endswith(f": deploy-main', held by job deploy of run {other}")
    held = leased(connection, agent)
    assert set(held) == {(second, "deploy")}
    start(connection, agent, held[second, "deploy"])
    assert finish(connection, agent, held[second, "deploy"], AttemptState.FAILED), "agents have to be asked"
    assert set(leased(connection, agent)) == {(first, "deploy")}


def test_a_group_is_of_one_project_and_of_the_values_of_the_run(connection: Connection) -> None:
    """Two projects do not wait for each other, nor does a job for a run of the same group."""
    plan = a_plan(connection)
    runs = [run_of(connection, a_plan(connection), deploys()) for _ in "ab"]
    grouped = create_run(
        connection,
        new_run(
            connection,
            None,
            plan_id=plan,
            plan=Plan(concurrency=DEPLOY, jobs={"deploy": deploys()}),
        ),
    )
    assert {run for run, _ in leased(connection, an_agent(connection))} == {*runs, grouped}


def test_a_job_that_is_tried_again_keeps_its_turn_until_it_has_ended(connection: Connection) -> None:
    """Who tries it again by hand afterwards puts it behind the others."""
    plan, agent = a_plan(connection), an_agent(connection)
    again = deploys(retry=Retry(max=1, on=("exit_code",)))
    first, second = (run_of(connection, plan, again) for _ in range(2))
    for _ in range(2):
        held = leased(connection, agent)
        assert set(held) == {(first, "deploy")}
        start(connection, agent, held[first, "deploy"])
        finish(connection, agent, held[first, "deploy"], AttemptState.FAILED)
    retry_job(connection, jobs_by_name(connection, first)["deploy"].id)
    held = leased(connection, agent)
    assert set(held) == {(second, "deploy")}
    finish(connection, agent, held[second, "deploy"])
    assert set(leased(connection, agent)) == {(first, "deploy")}


def test_an_aborted_job_leaves_the_line(connection: Connection) -> None:
    """Also one that has its turn and has not been leased: the next moves up."""
    plan, agent = a_plan(connection), an_agent(connection)
    runs = [run_of(connection, plan, deploys()) for _ in range(3)]
    abort_run(connection, runs[1], "kim")
    abort_run(connection, runs[0], "kim")
    assert set(leased(connection, agent)) == {(runs[2], "deploy")}
    places = select(jobs.c.place).where(jobs.c.run_id.in_(runs)).order_by(jobs.c.id)
    assert [place is None for place in connection.execute(places).scalars()] == [True, True, False]


def test_a_newer_job_supersedes_those_before_it_and_not_their_runs(connection: Connection) -> None:
    """What waited ends at once, what runs is ended by its agent; the other jobs of those runs go on."""
    plan, agent = a_plan(connection), an_agent(connection)
    other = a_job("lint")
    first = run_of(connection, plan, deploys(NEWEST), other)
    held = leased(connection, agent)
    start(connection, agent, held[first, "deploy"])
    second = run_of(connection, plan, deploys(NEWEST), other)
    third = run_of(connection, plan, deploys(NEWEST), other)
    ended = jobs_by_name(connection, second)["deploy"]
    by = f"run {run_names(connection, [third])[0]}"
    assert (ended.state, ended.reason, ended.detail) == ("aborted", "superseded_by", f"superseded by {by}")
    assert agents_to_tell(connection) == [agent]
    assert [one.attempt_id for one in attempts_to_abort(connection, agent)] == [held[first, "deploy"]]
    assert set(leased(connection, agent)) == {(second, "lint"), (third, "lint")}
    finish(connection, agent, held[first, "deploy"], AttemptState.ABORTED)
    assert jobs_by_name(connection, first)["deploy"].reason == "superseded_by"
    assert set(leased(connection, agent)) == {(third, "deploy")}
    finish(connection, agent, held[first, "lint"])
    assert get_run(connection, first).reason == "superseded_by"


@pytest.mark.parametrize("passed", [False, True])
def test_an_older_job_that_could_begin_later_ends_and_not_the_newer_one(
    connection: Connection, passed: bool
) -> None:
    """Its tests took longer, and the newer run deploys, or has deployed: nobody goes back to the older code."""
    plan, agent = a_plan(connection), an_agent(connection)
    older = run_of(
        connection, plan, a_job("test"), a_job("deploy", ["test"]).model_copy(update={"concurrency": NEWEST})
    )
    tests = leased(connection, agent)
    newer = run_of(connection, plan, deploys(NEWEST))
    held = leased(connection, agent)
    assert set(held) == {(newer, "deploy")}
    if passed:
        finish(connection, agent, held[newer, "deploy"])
    finish(connection, agent, tests[older, "test"])
    ended = jobs_by_name(connection, older)["deploy"]
    by = f"run {run_names(connection, [newer])[0]}"
    assert (ended.state, ended.detail) == ("aborted", f"superseded by {by}")
    assert attempts_to_abort(connection, agent) == []
    assert (get_run(connection, older).state, leased(connection, agent)) == ("aborted", {})
    retry_job(connection, ended.id)
    assert attempts_to_abort(connection, agent) == [], "people want it all the same, and end no newer one"
    if not passed:
        assert leased(connection, agent) == {}
        finish(connection, agent, held[newer, "deploy"])
    assert set(leased(connection, agent)) == {(older, "deploy")}


def test_what_another_job_has_passed_replaces_nothing(connection: Connection) -> None:
    """Two plans of a project deploy in one group, and the two jobs of a plan: each does its own work."""
    project, agent = a_project(connection), an_agent(connection)
    back, front = a_plan(connection, project, "back"), a_plan(connection, project, "front")
    slow = [a_job("test"), a_job("deploy", ["test"]).model_copy(update={"concurrency": NEWEST})]
    older = run_of(connection, back, *slow)
    tests = leased(connection, agent)
    newer = run_of(connection, front, deploys(NEWEST))
    finish(connection, agent, leased(connection, agent)[newer, "deploy"])
    finish(connection, agent, tests[older, "test"])
    held = leased(connection, agent)
    assert set(held) == {(older, "deploy")}
    finish(connection, agent, held[older, "deploy"])
    east = a_job("east", ["test"]).model_copy(update={"concurrency": NEWEST})
    older = run_of(connection, back, a_job("test"), east)
    tests = leased(connection, agent)
    newer = run_of(connection, back, deploys(NEWEST).model_copy(update={"name": "west"}))
    finish(connection, agent, leased(connection, agent)[newer, "west"])
    finish(connection, agent, tests[older, "test"])
    assert set(leased(connection, agent)) == {(older, "east")}


def test_what_another_branch_has_passed_replaces_nothing(connection: Connection) -> None:
    """Of a tag, a pull request or another branch that deploy in one group."""
    project, agent = a_project(connection), an_agent(connection)
    plan = a_plan(connection, project)
    one = Concurrency(group="prod", cancel_superseded=True)
    older = run_of(connection, plan, a_job("test"), deploys(one, needs=("test",)))
    tests = leased(connection, agent)
    next_ = PUSH.model_copy(update={"ref": "refs/heads/next", "branch": "next"})
    newer = create_run(connection, new_run(connection, (deploys(one),), plan_id=plan, event=next_))
    finish(connection, agent, leased(connection, agent)[newer, "deploy"])
    finish(connection, agent, tests[older, "test"])
    assert set(leased(connection, agent)) == {(older, "deploy")}


def test_a_newer_job_that_failed_supersedes_nobody_any_more(connection: Connection) -> None:
    plan, agent = a_plan(connection), an_agent(connection)
    older = run_of(
        connection, plan, a_job("test"), a_job("deploy", ["test"]).model_copy(update={"concurrency": NEWEST})
    )
    tests = leased(connection, agent)
    newer = run_of(connection, plan, deploys(NEWEST))
    finish(connection, agent, leased(connection, agent)[newer, "deploy"], AttemptState.FAILED)
    finish(connection, agent, tests[older, "test"])
    assert set(leased(connection, agent)) == {(older, "deploy")}


def test_a_job_that_waits_for_a_person_holds_nobody_up(connection: Connection) -> None:
    """It takes its place when it could begin."""
    project = a_project(connection)
    plan, agent = a_plan(connection, project), an_agent(connection)
    create_environment(connection, project, "prod", Terms(True, None, None), "kim")
    waits = run_of(connection, plan, deploys(environment="prod"))
    goes = run_of(connection, plan, deploys())
    held = leased(connection, agent)
    assert set(held) == {(goes, "deploy")}
    (approval,) = open_approvals(connection, waits).values()
    decide(connection, approval, approve=True, by="kim", why=None)
    assert leased(connection, agent) == {}
    finish(connection, agent, held[goes, "deploy"])
    assert set(leased(connection, agent)) == {(waits, "deploy")}


def test_jobs_of_one_run_take_turns_too(connection: Connection) -> None:
    """They do not end each other."""
    run = matrix_run(connection, "concurrency: {group: one, cancel_superseded: true}")
    agent = an_agent(connection)
    for name in "abc":
        held = leased(connection, agent)
        assert set(held) == {(run, f"test ({name})")}
        finish(connection, agent, held[run, f"test ({name})"])
    assert get_run(connection, run).state == "passed"


async def test_jobs_that_come_at_once_take_turns_all_the_same(store: Store) -> None:
    """Whatever the order of their transactions: at any time one is under way, and all get their turn."""
    plan = await store.write(a_plan)
    agent = await store.write(an_agent)
    job = deploys()
    runs = await asyncio.gather(*(store.write(run_of, plan, job) for _ in range(6)))
    seen: list[int] = []
    while held := await store.write(lease, agent, free=6):
        assert len(held) == 1
        seen.append(held[0].run)
        await store.write(finish, agent, held[0].attempt)
    assert sorted(seen) == sorted(runs)


async def test_jobs_that_come_at_once_and_supersede_each_other_all_end(store: Store) -> None:
    """One of them has passed; what the others had begun is ended by their agent."""
    plan = await store.write(a_plan)
    agent = await store.write(an_agent)
    runs = await asyncio.gather(*(store.write(run_of, plan, deploys(NEWEST)) for _ in range(6)))
    while held := await store.write(lease, agent, free=6):
        (one,) = held
        to_end = {told.attempt_id for told in await store.read(attempts_to_abort, agent)}
        state = AttemptState.ABORTED if one.attempt in to_end else AttemptState.PASSED
        await store.write(finish, agent, one.attempt, state)
    ended = [(await store.read(get_run, run)).state for run in runs]
    assert sorted(ended) == ["aborted"] * 5 + ["passed"]


def test_a_matrix_has_no_more_jobs_under_way_than_it_may(connection: Connection) -> None:
    """The others wait, and say for what; a retry that waits for its time counts."""
    run = matrix_run(connection, "max_parallel: 2, retry: {max: 1, on: exit_code, delay: 1h}")
    agent = an_agent(connection)
    held = leased(connection, agent)
    assert set(held) == {(run, "test (a)"), (run, "test (b)")}
    assert why(connection, run, "test (c)") == "max_parallel: 2 of the jobs of matrix test are under way"
    start(connection, agent, held[run, "test (a)"])
    finish(connection, agent, held[run, "test (a)"], AttemptState.FAILED)
    assert leased(connection, agent) == {}
    finish(connection, agent, held[run, "test (b)"])
    assert set(leased(connection, agent)) == {(run, "test (c)")}
    assert why(connection, run, "test (c)") is None or "max_parallel" not in str(
        why(connection, run, "test (c)")
    )


def test_a_job_that_fails_ends_the_others_of_its_matrix(connection: Connection) -> None:
    """What runs is ended by its agent, what waits at once; the run has failed with the job that did."""
    run = matrix_run(connection, "fail_fast: true, max_parallel: 2")
    agent = an_agent(connection)
    held = leased(connection, agent)
    for attempt in held.values():
        start(connection, agent, attempt)
    assert finish(connection, agent, held[run, "test (b)"], AttemptState.FAILED), "agents have to be told"
    shown = jobs_by_name(connection, run)
    assert (shown["test (c)"].state, shown["test (c)"].reason) == ("aborted", "matrix_failed")
    assert shown["test (c)"].detail == "aborted by job test (b), which failed"
    (told,) = attempts_to_abort(connection, agent)
    assert (told.attempt_id, told.by) == (held[run, "test (a)"], "job test (b), which failed")
    finish(connection, agent, held[run, "test (a)"], AttemptState.ABORTED)
    assert jobs_by_name(connection, run)["test (a)"].reason == "matrix_failed"
    ended = get_run(connection, run)
    assert (ended.state, ended.reason) == ("failed", "exit_code")


@pytest.mark.parametrize("terms", ["fail_fast: false", "fail_fast: true, allow_failure: true"])
def test_a_failure_that_is_allowed_ends_nobody(connection: Connection, terms: str) -> None:
    """Nor does any where the plan does not say so."""
    run = matrix_run(connection, terms)
    agent = an_agent(connection)
    held = leased(connection, agent)
    start(connection, agent, held[run, "test (b)"])
    finish(connection, agent, held[run, "test (b)"], AttemptState.FAILED)
    assert attempts_to_abort(connection, agent) == []


def test_one_of_them_is_tried_again_although_another_has_failed(connection: Connection) -> None:
    """Only a failure ends the others, and not that there was one."""
    run = matrix_run(connection, "fail_fast: true")
    agent = an_agent(connection)
    held = leased(connection, agent)
    for attempt in held.values():
        start(connection, agent, attempt)
        finish(connection, agent, attempt, AttemptState.FAILED)
    retry_job(connection, jobs_by_name(connection, run)["test (a)"].id)
    assert set(leased(connection, agent)) == {(run, "test (a)")}
    assert attempts_to_abort(connection, agent) == []


def test_what_is_not_of_the_matrix_goes_on(connection: Connection) -> None:
    """Another matrix, a job of none, and the approvals that they wait for; that of a job which was ended is withdrawn."""
    project = a_project(connection)
    create_environment(connection, project, "b", Terms(True, None, None), "kim")
    one = "{matrix: {x: [a, b]}, %s environment: '${matrix.x}', steps: [{run: make}]}"
    text = f"jobs: {{test: {one % 'fail_fast: true,'}, other: {one % ''}, lint: {{steps: [{{run: make}}]}}}}"
    run = create_run(
        connection, new_run(connection, None, plan_id=a_plan(connection, project), plan=parse_plan(text))
    )
    agent = an_agent(connection)
    held = leased(connection, agent)
    assert {name for _, name in held} == {"test (a)", "other (a)", "lint"}
    asked = open_approvals(connection, run)
    assert len(asked) == 2
    start(connection, agent, held[run, "test (a)"])
    finish(connection, agent, held[run, "test (a)"], AttemptState.FAILED)
    shown = jobs_by_name(connection, run)
    assert shown["test (b)"].reason == "matrix_failed"
    waits = shown["other (b)"].id
    assert open_approvals(connection, run) == {waits: asked[waits]}
    assert attempts_to_abort(connection, agent) == []
    assert get_run(connection, run).state == "running"


def test_a_job_that_no_agent_took_in_time_has_failed_too(connection: Connection) -> None:
    run = matrix_run(connection, "fail_fast: true, max_parallel: 1, start_timeout: 1s")
    connection.execute(update(attempts).values(start_by=1))
    (late,) = find_late(connection)
    give_up(connection, late, "nobody came")
    shown = jobs_by_name(connection, run)
    assert [job.reason for job in shown.values()] == ["start_timeout", "matrix_failed", "matrix_failed"]
