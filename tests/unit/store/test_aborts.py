"""Aborting: at once where nothing has begun, through the agent where something has."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from tailrace.domain.errors import MoveRefused, NotFound
from tailrace.domain.outcome import Reason
from tailrace.domain.states import AttemptState, LogState
from tailrace.store.aborts import abort_run, attempts_to_abort
from tailrace.store.logs import find_log
from tailrace.store.runs import get_run
from tests.unit.store.world import (
    a_job,
    a_planning_run,
    a_run,
    an_agent,
    finish,
    lease,
    start,
    states,
)


def test_a_planning_run_ends_at_once(connection: Connection) -> None:
    run = a_planning_run(connection)
    assert abort_run(connection, run, "Ada") == []
    view = get_run(connection, run)
    assert (view.state, view.reason, view.detail) == ("aborted", "aborted_by", "aborted by Ada")
    assert view.finished_at is not None


def test_a_pending_run_ends_at_once_with_its_queue_and_its_logs(connection: Connection) -> None:
    run = a_run(connection, a_job("a"), a_job("b", needs=["a"]), a_job("c"))
    assert abort_run(connection, run, "Ada") == []
    view = get_run(connection, run)
    assert states(view) == {"run": "aborted", "a": "aborted", "b": "aborted", "c": "aborted"}
    assert view.detail == "job a: aborted by Ada"
    for job in view.jobs:
        assert (job.reason, job.detail) == ("aborted_by", "aborted by Ada")
        for attempt in job.attempts:
            assert (attempt.state, attempt.log_state, attempt.log_size) == ("aborted", LogState.CLOSED, 0)
            log = find_log(connection, attempt.log)
            assert log is not None
            assert log.crc32 is None, "nobody wrote it, and nobody declared a checksum"
    assert lease(connection, an_agent(connection), free=9) == []


@pytest.mark.parametrize("begun", [False, True])
def test_what_an_agent_holds_ends_by_the_agents_word(connection: Connection, begun: bool) -> None:
    run = a_run(connection, a_job("a"), a_job("b", needs=["a"]))
    agent = an_agent(connection)
    (held,) = lease(connection, agent)
    if begun:
        start(connection, agent, held.attempt)
    assert abort_run(connection, run, "Ada") == [agent]
    assert attempts_to_abort(connection, agent) == [(held.attempt, "Ada", 1)]
    job = "running" if begun else "pending"
    assert states(get_run(connection, run)) == {"run": "running", "a": job, "b": "aborted"}
    assert abort_run(connection, run, "Bob") == [agent], "asking again wakes again, and keeps the first word"
    assert attempts_to_abort(connection, agent) == [(held.attempt, "Ada", 2)], "and is a second order"
    abort_run(connection, run, "run 7", Reason.SUPERSEDED_BY)
    assert attempts_to_abort(connection, agent) == [(held.attempt, "Ada", 2)], (
        "which a newer run does not give"
    )
    finish(connection, agent, held.attempt, AttemptState.ABORTED)
    assert states(get_run(connection, run)) == {"run": "aborted", "a": "aborted", "b": "aborted"}
    assert attempts_to_abort(connection, agent) == []


def test_what_has_ended_keeps_its_end(connection: Connection) -> None:
    run = a_run(connection, a_job("a"), a_job("b", needs=["a"]))
    agent = an_agent(connection)
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    finish(connection, agent, held.attempt)
    abort_run(connection, run, "Ada")
    assert states(get_run(connection, run)) == {"run": "aborted", "a": "passed", "b": "aborted"}


def test_an_attempt_that_was_quicker_than_the_abort_keeps_its_word(connection: Connection) -> None:
    run = a_run(connection)
    agent = an_agent(connection)
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    abort_run(connection, run, "Ada")
    finish(connection, agent, held.attempt)
    assert states(get_run(connection, run)) == {"run": "passed", "test": "passed"}


@pytest.mark.parametrize("end", [AttemptState.PASSED, AttemptState.FAILED, AttemptState.ABORTED])
def test_a_run_that_has_ended_cannot_be_aborted(connection: Connection, end: AttemptState) -> None:
    run = a_run(connection)
    agent = an_agent(connection)
    (held,) = lease(connection, agent)
    finish(connection, agent, held.attempt, end)
    before = get_run(connection, run)
    with pytest.raises(MoveRefused, match=f"run {run} is {end}: it cannot abort"):
        abort_run(connection, run, "Ada")
    assert get_run(connection, run) == before


def test_an_unknown_run_is_not_found(connection: Connection) -> None:
    with pytest.raises(NotFound):
        abort_run(connection, 10**9, "Ada")
