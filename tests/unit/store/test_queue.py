"""Who is next: priority, then a fair share for each project, then age; nobody from what is paused."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from sqlalchemy import Connection, select, update

from tailrace.domain.trust import Taker
from tailrace.store.leases import Offer, lease_attempts
from tailrace.store.migrate import migrate
from tailrace.store.pauses import QUEUE, list_pauses, pause, resume
from tailrace.store.queue import LINES
from tailrace.store.runs import create_run
from tailrace.store.sqlite import sqlite_engine
from tailrace.store.tables import attempt as attempts
from tests.unit.store.world import LEASE_MS, a_job, a_plan, a_project, an_agent, new_run, planned


def queue(connection: Connection, plan: int, *labels: str, priority: int = 0) -> int:
    """A run of one job; its attempt's id."""
    terms = planned(a_job("a", labels=labels), priority=priority)
    run = create_run(connection, new_run(connection, None, plan_id=plan, plan=terms))
    return connection.execute(select(attempts.c.id).where(attempts.c.run_id == run)).scalar_one()


def order(connection: Connection, agent: int, *labels: str) -> list[int]:
    """The attempts in the order in which an agent gets them one by one."""
    found: list[int] = []
    while granted := lease_attempts(connection, [Offer(agent, Taker(frozenset(labels)), 1)], LEASE_MS):
        found.append(granted[0].lease.attempt)
    return found


def test_a_higher_priority_goes_first(connection: Connection) -> None:
    """Whatever its age and its labels."""
    plan, agent = a_plan(connection), an_agent(connection, "linux")
    low = queue(connection, plan, priority=-1)
    usual = queue(connection, plan, "linux")
    high = queue(connection, plan, priority=5)
    assert order(connection, agent, "linux") == [high, usual, low]


def test_projects_share_fairly(connection: Connection) -> None:
    """The one that holds least gets the next, so that a long queue of one does not keep the others waiting."""
    busy, quiet = (a_plan(connection, a_project(connection)) for _ in range(2))
    agent = an_agent(connection)
    many = [queue(connection, busy) for _ in range(4)]
    few = [queue(connection, quiet) for _ in range(2)]
    assert order(connection, agent) == [many[0], few[0], many[1], few[1], many[2], many[3]]


def test_a_share_is_fair_within_one_lease_of_many_too(connection: Connection) -> None:
    """An agent with room for three gets of both."""
    busy, quiet = (a_plan(connection, a_project(connection)) for _ in range(2))
    many = [queue(connection, busy) for _ in range(4)]
    one = queue(connection, quiet)
    granted = lease_attempts(connection, [Offer(an_agent(connection), Taker(frozenset()), 3)], LEASE_MS)
    assert {grant.lease.attempt for grant in granted} == {many[0], many[1], one}


def test_nothing_is_leased_from_what_is_paused(connection: Connection) -> None:
    """The whole queue, or one project's part of it."""
    project = a_project(connection)
    plan, other, agent = a_plan(connection, project), a_plan(connection), an_agent(connection)
    mine, theirs = queue(connection, plan), queue(connection, other)
    pause(connection, QUEUE, "kim", "the disk is full")
    pause(connection, QUEUE, "ada", None)
    assert [(one.scope, one.by, one.why) for one in list_pauses(connection)] == [("queue", "ada", None)]
    assert order(connection, agent) == []
    resume(connection, QUEUE)
    pause(connection, f"project/{project}", "kim", None)
    assert order(connection, agent) == [theirs]
    resume(connection, f"project/{project}")
    resume(connection, f"project/{project}")
    assert order(connection, agent) == [mine]


def test_every_line_of_the_queue_is_seen_with_its_oldest(connection: Connection) -> None:
    """Labels, priorities, projects, forks: each combination is a line of its own, however long the others are."""
    heads: dict[tuple[object, ...], int] = {}
    plans = [a_plan(connection) for _ in range(2)]
    for _ in range(2):
        for plan, labels, priority, fork in product(plans, ((), ("gpu",)), (0, 5), (False, True)):
            terms = planned(a_job("a", labels=labels), priority=priority)
            run = create_run(connection, new_run(connection, None, plan_id=plan, plan=terms))
            # As it is once somebody has allowed the run of a fork's commit.
            connection.execute(update(attempts).where(attempts.c.run_id == run).values(from_fork=fork))
            row = connection.execute(select(attempts).where(attempts.c.run_id == run)).one()
            heads.setdefault((row.labels, row.rank, row.project_id, row.from_fork), row.id)
    seen = [tuple(row) for row in connection.execute(LINES)]
    assert len(seen) == 16
    assert {row[:4]: row[4] for row in seen} == heads


def test_the_next_line_is_sought_and_not_read_for(tmp_path: Path) -> None:
    """Ten thousand attempts of one line cost no more than one: each comparison is a seek on all columns that it names."""
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    migrate(url)
    engine = sqlite_engine(tmp_path / "queue.db")
    with engine.connect() as connection:
        plan = "\n".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {LINES}"))
    engine.dispose()
    for seek in (
        "labels=? AND rank=? AND project_id=? AND from_fork>?",
        "labels=? AND rank=? AND project_id>?",
        "labels=? AND rank>?",
        "labels>?",
    ):
        assert f"SEARCH attempt USING INDEX ix_attempt_queue ({seek})" in plan or (
            f"SEARCH attempt USING COVERING INDEX ix_attempt_queue ({seek})" in plan
        )
