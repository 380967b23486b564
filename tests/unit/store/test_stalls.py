"""Attempts that stand still, and logs whose writer does not come back."""

from __future__ import annotations

from sqlalchemy import Connection

from tailrace.domain.states import LogState
from tailrace.store.agents import held_attempts
from tailrace.store.leases import renew_leases
from tailrace.store.logs import close_log, find_log
from tailrace.store.runs import get_run
from tailrace.store.stalls import find_left_logs, left_logs_of, note_stalled, run_of_attempt, truncate_left
from tests.unit.store.world import a_run, an_agent, finish, lease, start


def stalled(connection: Connection, run: int) -> str | None:
    return get_run(connection, run).jobs[0].attempts[0].stalled


def test_a_reason_is_shown_until_it_is_taken_back_or_the_log_ends(connection: Connection) -> None:
    """What has ended does not stand still."""
    agent, run = an_agent(connection), a_run(connection)
    (leased,) = lease(connection, agent)
    start(connection, agent, leased.attempt)
    assert run_of_attempt(connection, leased.attempt) == run
    assert stalled(connection, run) is None
    note_stalled(connection, leased.attempt, "the disk is full")
    assert stalled(connection, run) == "the disk is full"
    assert [one.stalled for one in held_attempts(connection, agent)] == ["the disk is full"]
    note_stalled(connection, leased.attempt, None)
    assert stalled(connection, run) is None
    note_stalled(connection, leased.attempt, "the disk is full")
    finish(connection, agent, leased.attempt)
    assert stalled(connection, run) is None
    note_stalled(connection, leased.attempt, "the server's disk is full")  # its log still arrives
    assert close_log(connection, leased.log, 3, 0)
    assert stalled(connection, run) is None
    note_stalled(connection, leased.attempt, "a word that comes late")
    assert stalled(connection, run) is None


def test_a_log_is_left_when_its_attempt_has_ended_and_its_agent_is_away(connection: Connection) -> None:
    """Neither while the attempt runs nor while the agent is there."""
    agent, _ = an_agent(connection), a_run(connection)
    (leased,) = lease(connection, agent)
    start(connection, agent, leased.attempt)
    assert find_left_logs(connection, 60_000) == left_logs_of(connection, [agent]) == []
    finish(connection, agent, leased.attempt)
    (left,) = find_left_logs(connection, 60_000)
    assert (left.log_id, left.attempt_id, left.agent_id) == (leased.log, leased.attempt, agent)
    assert left_logs_of(connection, [agent]) == [left]
    renew_leases(connection, agent, 60_000)
    assert find_left_logs(connection, 60_000) == []
    assert not truncate_left(connection, left, 7, 60_000), "it is back"
    assert find_left_logs(connection, -1) == [left], "it has not been heard of since"
    assert truncate_left(connection, left, 7, -1)
    row = find_log(connection, leased.log)
    assert row is not None
    assert (row.state, row.size) == (LogState.TRUNCATED, 7)
    assert not truncate_left(connection, left, 9, -1)
