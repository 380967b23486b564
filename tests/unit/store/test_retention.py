"""Retention: oldest first, each rule by its own measure, and nothing of a run that goes on."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, insert, select, update

from tailrace.domain.states import LogState
from tailrace.store.clock import read_clock
from tailrace.store.retention import Expired, Rules, find_expired, remove_log
from tailrace.store.runs import get_run
from tailrace.store.segments import find_orphans, find_sealed
from tailrace.store.tables import attempt, job, log, run, segment
from tests.unit.store.world import a_job, a_plan, a_run, an_agent, lease

DAY = 24 * 3600 * 1000


def an_old_run(
    connection: Connection, days: int, plan: int | None = None, size: int = 1000, state: str = "sealed"
) -> tuple[int, int]:
    """(run, log) of one that ended so many days ago, with `size` bytes in the archive."""
    id = a_run(connection, a_job("test"), plan_id=plan)
    found = connection.execute(select(attempt.c.log_id, attempt.c.id).where(attempt.c.run_id == id)).one()
    ended = {"state": "passed", "finished_at": read_clock(connection) - days * DAY}
    for table, key in ((run, run.c.id), (job, job.c.run_id), (attempt, attempt.c.run_id)):
        connection.execute(update(table).where(key == id).values(**ended))
    sealed = {"state": state, "size": 5, "closed_at": 1, "sealed": 5, "sealed_at": 1}
    connection.execute(update(log).where(log.c.id == found.log_id).values(**sealed))
    row = {"log_id": found.log_id, "number": 0, "start": 0, "stop": 5, "first_line": 0, "lines": 0}
    row |= {"first_time": 0, "last_time": 0, "size": size, "sha256": "", "crc32": 0, "created_at": 1}
    connection.execute(insert(segment).values(key=f"key of {found.log_id}", **row))
    return id, found.log_id


def taken(connection: Connection, **rules: int) -> list[tuple[int, str]]:
    return [(one.log_id, one.why) for one in find_expired(connection, Rules(**rules))]


def test_without_a_rule_everything_is_kept(connection: Connection) -> None:
    an_old_run(connection, 10_000)
    assert taken(connection) == []


def test_logs_are_taken_by_the_age_of_their_runs_end(connection: Connection) -> None:
    _, young = an_old_run(connection, 29)
    _, old = an_old_run(connection, 31, state="truncated")
    _, older = an_old_run(connection, 50)
    why = "its run ended more than 30 days ago"
    assert taken(connection, days=30) == [(older, why), (old, why)]
    assert young not in dict(taken(connection, days=30))


def test_each_plan_keeps_its_newest_runs(connection: Connection) -> None:
    one, other = a_plan(connection), a_plan(connection)
    logs = [an_old_run(connection, 10 - number, one)[1] for number in range(5)]
    an_old_run(connection, 90, other)
    a_run(connection, plan_id=one)  # goes on: neither taken nor counted
    why = "its plan keeps the logs of its newest 2 runs"
    assert taken(connection, runs=2) == [(log, why) for log in logs[:3]]


def test_the_archive_keeps_so_many_bytes(connection: Connection) -> None:
    logs = [an_old_run(connection, 10 - number, size=1000)[1] for number in range(5)]
    assert taken(connection, bytes=5000) == []
    assert taken(connection, bytes=4999) == [(logs[0], "the archive keeps at most 4,999 bytes")]
    assert [log for log, _ in taken(connection, bytes=2048)] == logs[:3]
    # What another rule takes makes room already.
    mixed = taken(connection, days=9, bytes=3072)
    assert [log for log, _ in mixed] == logs[:2]
    assert {why for _, why in mixed} == {"its run ended more than 9 days ago"}


def test_a_run_that_goes_on_and_a_log_that_is_not_archived_are_kept(connection: Connection) -> None:
    agent = an_agent(connection)
    a_run(connection)
    (held,) = lease(connection, agent)
    _, waiting = an_old_run(connection, 100)
    connection.execute(update(log).where(log.c.id == waiting).values(state="closed", sealed_at=None))
    id, sealed = an_old_run(connection, 100)  # one of its jobs goes on
    connection.execute(update(run).where(run.c.id == id).values(state="running", finished_at=None))
    assert taken(connection, days=1, runs=1, bytes=1) == []
    assert sealed
    assert not remove_log(connection, waiting, "x")
    assert not remove_log(connection, held.log, "x")
    assert not remove_log(connection, 10**6, "x")


@pytest.mark.parametrize("state", ["sealed", "truncated"])
def test_a_removed_log_keeps_its_row_and_says_why(connection: Connection, state: str) -> None:
    id, old = an_old_run(connection, 31, state=state)
    name, number = get_run(connection, id).project_name, get_run(connection, id).number
    assert find_expired(connection, Rules(days=30)) == [
        Expired(old, id, 1000, "its run ended more than 30 days ago", name, number)
    ]
    assert remove_log(connection, old, "why not")
    part = find_sealed(connection, old)
    assert part is not None
    assert (part.state, part.removed_why, part.segments) == (LogState.REMOVED, "why not", ())
    assert part.removed_at is not None
    assert find_orphans(connection, 10, 60_000) == [f"key of {old}"]
    assert not remove_log(connection, old, "again")
    assert taken(connection, days=1) == []
