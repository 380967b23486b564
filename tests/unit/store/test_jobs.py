"""Jobs move on when others end, and a run follows its jobs."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection

from tailrace.domain.errors import NotFound
from tailrace.domain.states import AttemptState
from tailrace.store import Store
from tailrace.store.job_views import get_job
from tailrace.store.runs import get_run
from tests.unit.store.world import a_job, a_plan, a_run, an_agent, finish, jobs_by_name, lease, start, states


def test_a_run_goes_from_pending_to_passed_with_its_jobs(connection: Connection) -> None:
    run = a_run(connection, a_job("build"), a_job("test", needs=["build"]))
    agent = an_agent(connection)
    seen = [states(get_run(connection, run))]
    for more in (True, False):
        (held,) = lease(connection, agent)
        seen.append(states(get_run(connection, run)))
        start(connection, agent, held.attempt)
        seen.append(states(get_run(connection, run)))
        assert finish(connection, agent, held.attempt) is more
        seen.append(states(get_run(connection, run)))
    assert seen == [
        {"run": "pending", "build": "pending", "test": "waiting"},
        {"run": "pending", "build": "pending", "test": "waiting"},
        {"run": "running", "build": "running", "test": "waiting"},
        {"run": "running", "build": "passed", "test": "pending"},
        {"run": "running", "build": "passed", "test": "pending"},
        {"run": "running", "build": "passed", "test": "running"},
        {"run": "passed", "build": "passed", "test": "passed"},
    ]


def test_what_needs_a_failed_job_is_skipped_with_the_reason(connection: Connection) -> None:
    run = a_run(connection, a_job("a"), a_job("b", needs=["a"]), a_job("c", needs=["b"]), a_job("d"))
    agent = an_agent(connection)
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    assert finish(connection, agent, held.attempt, AttemptState.FAILED) is False
    jobs = jobs_by_name(connection, run)
    assert states(get_run(connection, run)) == {
        "run": "running",
        "a": "failed",
        "b": "skipped",
        "c": "skipped",
        "d": "pending",
    }
    assert (jobs["b"].reason, jobs["b"].detail) == ("needs_failed", "it needs job a, which did not pass")
    assert jobs["c"].detail == "it needs job b, which did not pass"
    assert jobs["b"].finished_at is not None


def test_a_job_is_shown_alone_as_in_its_run(connection: Connection) -> None:
    run = get_run(connection, a_run(connection, a_job("a"), a_job("b")))
    for job in run.jobs:
        assert get_job(connection, job.id) == job
    with pytest.raises(NotFound):
        get_job(connection, 10**9)


async def test_two_jobs_that_end_at_the_same_moment_start_the_job_that_needs_both(store: Store) -> None:
    """On PostgreSQL each in its own transaction: neither may see only itself ended."""
    plan = await store.write(a_plan)
    agent = await store.write(an_agent)
    rounds = 25

    def make(connection: Connection) -> int:
        return a_run(connection, a_job("a"), a_job("b"), a_job("both", needs=["a", "b"]), plan_id=plan)

    runs = [await store.write(make) for _ in range(rounds)]
    held = await store.write(lease, agent, free=2 * rounds)
    assert len(held) == 2 * rounds
    await asyncio.gather(*(store.write(start, agent, lease.attempt) for lease in held))
    queued = await asyncio.gather(*(store.write(finish, agent, lease.attempt) for lease in held))
    assert sum(queued) == rounds, "exactly one of each pair queues the third"
    for run in runs:
        view = await store.read(get_run, run)
        assert states(view) == {"run": "running", "a": "passed", "b": "passed", "both": "pending"}
        assert len(view.jobs[2].attempts) == 1
