"""A job with a delay in its retry is queued again when that is over, once, unless its run ends before."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, func, select, update

from tailrace.domain.errors import MoveRefused
from tailrace.domain.plan import Retry
from tailrace.domain.states import AttemptState
from tailrace.store.aborts import abort_run
from tailrace.store.clock import read_clock
from tailrace.store.delays import find_due, queue_due
from tailrace.store.reopening import retry_job
from tailrace.store.runs import get_run
from tailrace.store.tables import job as jobs
from tests.unit.store.world import a_job, a_run, an_agent, finish, jobs_by_name, lease, start, states

LATER = Retry(max=1, on=("exit_code",), delay_s=3600)


def a_failed_run(connection: Connection, agent: int) -> int:
    run = a_run(connection, a_job("test").model_copy(update={"retry": LATER}), a_job("after", ["test"]))
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    assert not finish(connection, agent, held.attempt, AttemptState.FAILED), "nothing is queued yet"
    return run


def let_time_pass(connection: Connection) -> None:
    connection.execute(
        update(jobs).where(jobs.c.retry_at.is_not(None)).values(retry_at=jobs.c.retry_at - 3600_000)
    )


def test_the_next_attempt_is_queued_when_the_delay_is_over(connection: Connection) -> None:
    """By one server; whoever comes second finds nothing to do."""
    agent = an_agent(connection)
    run = a_failed_run(connection, agent)
    job = jobs_by_name(connection, run)["test"]
    assert (job.state, len(job.attempts)) == ("pending", 1)
    assert job.retry_at is not None
    assert 3590_000 < job.retry_at - read_clock(connection) <= 3600_000
    assert (find_due(connection), lease(connection, agent)) == ([], [])
    let_time_pass(connection)
    (due,) = find_due(connection)
    assert (due.job_id, due.run_id) == (job.id, run)
    assert queue_due(connection, due)
    assert not queue_due(connection, due)
    assert find_due(connection) == []
    (held,) = lease(connection, agent, free=5)
    assert held.number == 2
    start(connection, agent, held.attempt)
    finish(connection, agent, held.attempt, AttemptState.FAILED)
    assert states(get_run(connection, run)) == {"run": "failed", "test": "failed", "after": "skipped"}


def test_an_abort_ends_what_waits_for_its_delay(connection: Connection) -> None:
    """Nothing of it begins later."""
    run = a_failed_run(connection, an_agent(connection))
    let_time_pass(connection)
    (due,) = find_due(connection)
    abort_run(connection, run, "Ada")
    assert states(get_run(connection, run)) == {"run": "aborted", "test": "aborted", "after": "aborted"}
    assert not queue_due(connection, due)
    assert connection.execute(select(func.count()).where(jobs.c.retry_at.is_not(None))).scalar() == 0


def test_a_failure_that_is_allowed_does_not_fail_its_run(connection: Connection) -> None:
    """Those that need it begin, and it can be tried again in the run that passed."""
    agent = an_agent(connection)
    allowed = a_job("lint").model_copy(update={"allow_failure": True})
    told = a_job("tell", ["lint"]).model_copy(update={"condition": "failure"})
    asked = a_job("ask", ["lint"]).model_copy(update={"condition": 'needs.lint.outcome == "failed"'})
    run = a_run(connection, allowed, a_job("test", ["lint"]), told, asked)
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    finish(connection, agent, held.attempt, AttemptState.FAILED)
    for one in lease(connection, agent, free=5):
        start(connection, agent, one.attempt)
        finish(connection, agent, one.attempt)
    shown = get_run(connection, run)
    assert states(shown) == {
        "run": "passed",
        "lint": "failed",
        "test": "passed",
        "tell": "skipped",
        "ask": "passed",
    }
    assert (shown.reason, shown.jobs[0].allow_failure, shown.jobs[0].reason) == (None, True, "exit_code")
    with pytest.raises(MoveRefused):
        retry_job(connection, shown.jobs[1].id)
    retry_job(connection, shown.jobs[0].id)
    while held := lease(connection, agent):
        start(connection, agent, held[0].attempt)
        finish(connection, agent, held[0].attempt)
    assert states(get_run(connection, run)) == {
        "run": "passed",
        "lint": "passed",
        "test": "passed",
        "tell": "skipped",
        "ask": "skipped",
    }


def test_a_failure_that_is_not_allowed_is_the_run_s_reason(connection: Connection) -> None:
    """Also when one that is came before it."""
    agent = an_agent(connection)
    run = a_run(connection, a_job("lint").model_copy(update={"allow_failure": True}), a_job("test"))
    for one in lease(connection, agent, free=2):
        start(connection, agent, one.attempt)
        finish(connection, agent, one.attempt, AttemptState.FAILED)
    shown = get_run(connection, run)
    assert shown.state == "failed"
    assert (shown.detail or "").startswith("job test: ")
