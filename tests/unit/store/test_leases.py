"""The queue: oldest first, to agents that have the labels, to one agent each; and what becomes of a lease that lapses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, select

from tailrace.domain.errors import LeaseLost
from tailrace.domain.states import AttemptState, LogState
from tailrace.domain.trust import Taker
from tailrace.store import Store
from tailrace.store.aborts import abort_run, attempts_to_abort
from tailrace.store.agents import held_attempts
from tailrace.store.clock import read_clock
from tailrace.store.leases import (
    Granted,
    Lapsed,
    Offer,
    end_lapsed,
    find_lapsed,
    lease_attempts,
    read_handovers,
    renew_leases,
)
from tailrace.store.logs import LogRow, close_log, find_log, find_owner
from tailrace.store.runs import get_run
from tailrace.store.tables import attempt as attempts
from tests.unit.store.conftest import overlapping
from tests.unit.store.world import (
    LEASE_MS,
    a_job,
    a_plan,
    a_run,
    an_agent,
    attempt_state,
    finish,
    jobs_by_name,
    lease,
    start,
    states,
)


def offer(connection: Connection, *offers: tuple[int, Sequence[str], int]) -> list[Granted]:
    return lease_attempts(
        connection, [Offer(agent, Taker(frozenset(labels)), free) for agent, labels, free in offers], LEASE_MS
    )


def lapsed_of(connection: Connection, attempt_id: int) -> Lapsed:
    """As `find_lapsed` would say it, whether or not the lease has run out."""
    row = connection.execute(select(attempts).where(attempts.c.id == attempt_id)).one()
    return Lapsed(row.id, row.run_id, row.log_id, row.agent_id, AttemptState(row.state))


def test_the_oldest_goes_first_whatever_its_labels(connection: Connection) -> None:
    agent = an_agent(connection)
    runs = [
        a_run(connection, a_job("j", labels=labels))
        for labels in (["linux"], [], ["gpu", "linux"], ["linux"], [])
    ]
    order = [lease(connection, agent, "linux", "gpu", free=1)[0].run for _ in runs]
    assert order == runs
    assert lease(connection, agent, "linux", "gpu") == []


def test_an_agent_gets_only_what_it_has_all_labels_for(connection: Connection) -> None:
    agent = an_agent(connection)
    none, linux, both = (
        a_run(connection, a_job("j", labels=labels)) for labels in ([], ["linux"], ["linux", "gpu"])
    )
    assert [held.run for held in lease(connection, agent, free=9)] == [none]
    assert [held.run for held in lease(connection, agent, "gpu", free=9)] == []
    assert [held.run for held in lease(connection, agent, "linux", "arm", free=9)] == [linux]
    assert [held.run for held in lease(connection, agent, "gpu", "linux", free=9)] == [both]


def test_an_agent_gets_no_more_than_it_has_room_for(connection: Connection) -> None:
    agent = an_agent(connection)
    runs = [a_run(connection) for _ in range(5)]
    assert [held.run for held in lease(connection, agent, free=3)] == runs[:3]
    assert lease(connection, agent, free=0) == []
    assert lease_attempts(connection, [], LEASE_MS) == []
    assert [held.run for held in lease(connection, agent, free=3)] == runs[3:]


def test_work_is_spread_over_the_agents_with_the_most_room(connection: Connection) -> None:
    large, small = an_agent(connection, name="large"), an_agent(connection, name="small")
    for _ in range(4):
        a_run(connection)
    granted = offer(connection, (small, [], 2), (large, [], 4))
    assert sorted(grant.agent_id for grant in granted) == sorted([large, large, large, small])
    assert [len(held_attempts(connection, agent)) for agent in (large, small)] == [3, 1]


def test_two_offers_share_what_only_one_can_take(connection: Connection) -> None:
    gpu, plain = an_agent(connection, name="gpu"), an_agent(connection, name="plain")
    first = a_run(connection, a_job("j", labels=["gpu"]))
    second = a_run(connection)
    granted = offer(connection, (plain, [], 1), (gpu, ["gpu"], 1))
    assert {grant.agent_id: grant.lease.run for grant in granted} == {gpu: first, plain: second}


def test_a_lease_has_all_that_a_runner_needs(connection: Connection) -> None:
    agent = an_agent(connection, name="host-9")
    run = get_run(connection, a_run(connection, a_job("test", labels=["b", "a", "b"])))
    before = read_clock(connection)
    (held,) = lease(connection, agent, "a", "b")
    job = get_run(connection, run.id).jobs[0]
    assert (held.attempt, held.number, held.log) == (job.attempts[0].id, 1, job.attempts[0].log)
    assert (held.run, held.run_number, held.project, held.plan) == (
        run.id,
        run.number,
        run.project_name,
        run.plan_name,
    )
    assert (held.repository, held.revision, held.ref, held.branch) == (
        "https://example.org/r.git",
        "a" * 40,
        "refs/heads/main",
        "main",
    )
    assert held.job == a_job("test", labels=["b", "a", "b"])
    assert len(bytes.fromhex(held.cookie)) == 16
    assert job.agent == "host-9"
    until = connection.execute(
        select(attempts.c.lease_until).where(attempts.c.id == held.attempt)
    ).scalar_one()
    assert before + LEASE_MS <= until <= read_clock(connection) + LEASE_MS
    assert [one.lease for one in read_handovers(connection, [held.attempt])] == [held]


async def test_agents_that_ask_at_once_never_get_the_same_attempt(store: Store) -> None:
    plan = await store.write(a_plan)
    agents = [await store.write(an_agent, name=f"host-{n}") for n in range(4)]

    def make(connection: Connection) -> list[int]:
        return [a_run(connection, a_job("j", labels=["x"] if n % 2 else []), plan_id=plan) for n in range(40)]

    runs = await store.write(make)

    async def ask(agent: int) -> list[int]:
        got: list[int] = []
        while more := await store.write(offer, (agent, ["x"], 3)):
            got += [grant.lease.run for grant in more]
        return got

    taken = await asyncio.gather(*(ask(agent) for agent in agents for _ in range(2)))
    flat = [run for got in taken for run in got]
    assert sorted(flat) == sorted(runs), "each was given, and once"


async def test_what_one_transaction_does_not_take_another_may(store: Store) -> None:
    """The first could have taken either attempt; the second gets the other at once, not at the next look."""

    def make(connection: Connection) -> tuple[int, int]:
        a_run(connection, a_job("one", labels=["x"]), a_job("two", labels=["y"]))
        return an_agent(connection, name="a"), an_agent(connection, name="b")

    first, second = await store.write(make)
    leased, release = threading.Event(), threading.Event()

    def lease_and_wait(connection: Connection) -> list[Granted]:
        granted = offer(connection, (first, ["x", "y"], 1))
        leased.set()
        assert release.wait(30)
        return granted

    slow = asyncio.create_task(store.write(lease_and_wait))
    await asyncio.to_thread(leased.wait)
    if type(store).__name__ == "SqliteStore":  # which has one writer
        release.set()
    got = await asyncio.wait_for(store.write(offer, (second, ["y", "x"], 1)), timeout=30)
    assert [grant.lease.job.name for grant in got] == ["two"]
    release.set()
    assert [grant.lease.job.name for grant in await slow] == ["one"]


def test_renewing_keeps_a_lease_and_shows_the_agent_online(connection: Connection) -> None:
    a_run(connection)
    agent, other = an_agent(connection), an_agent(connection)
    (held,) = lease(connection, agent, lease_ms=-1000)
    (lapsed,) = find_lapsed(connection)
    assert lapsed == (held.attempt, held.run, held.log, agent, AttemptState.LEASED)
    renew_leases(connection, other, LEASE_MS)
    assert find_lapsed(connection) == [lapsed]
    renew_leases(connection, agent, LEASE_MS)
    assert find_lapsed(connection) == []
    assert end_lapsed(connection, lapsed, 0) is None, "the agent was quicker"
    assert attempt_state(connection, held.attempt) is AttemptState.LEASED


def test_a_lapsed_lease_that_had_not_begun_goes_back_to_the_queue(connection: Connection) -> None:
    run = a_run(connection)
    agent, other = an_agent(connection), an_agent(connection, name="other")
    (held,) = lease(connection, agent, lease_ms=-1000)
    (lapsed,) = find_lapsed(connection)
    assert end_lapsed(connection, lapsed, 0) == (run, True)
    assert attempt_state(connection, held.attempt) is AttemptState.PENDING
    assert states(get_run(connection, run)) == {"run": "pending", "test": "pending"}
    assert get_run(connection, run).jobs[0].agent is None
    log = find_log(connection, held.log)
    assert log is not None
    assert log.state is LogState.OPEN
    assert end_lapsed(connection, lapsed, 0) is None, "it ends once"
    with pytest.raises(LeaseLost, match="taken from this agent"):
        start(connection, agent, held.attempt)
    (again,) = lease(connection, other)
    assert again.attempt == held.attempt
    assert again.cookie != held.cookie, "what the first agent may have begun is not the other's"
    with pytest.raises(LeaseLost):
        start(connection, agent, held.attempt)
    start(connection, other, held.attempt)


def test_a_lapsed_lease_that_had_begun_is_lost_with_its_agent(connection: Connection) -> None:
    run = a_run(connection, a_job("test"), a_job("deploy", needs=["test"]), a_job("lint"))
    agent = an_agent(connection, name="host-7")
    (held,) = lease(connection, agent, lease_ms=-1000)
    start(connection, agent, held.attempt)
    (lapsed,) = find_lapsed(connection)
    assert end_lapsed(connection, lapsed, 1234) == (run, False)
    view = get_run(connection, run)
    assert states(view) == {"run": "running", "test": "failed", "deploy": "skipped", "lint": "pending"}
    job = jobs_by_name(connection, run)["test"]
    assert (job.reason, job.agent) == ("agent_lost", "host-7")
    assert job.detail == "agent host-7 has not been heard of since its lease ended"
    assert (job.attempts[0].log_state, job.attempts[0].log_size) == (LogState.TRUNCATED, 1234)
    assert find_lapsed(connection) == []
    with pytest.raises(LeaseLost, match="ended as agent_lost"):
        finish(connection, agent, held.attempt)


def test_an_agent_that_came_back_without_the_attempt_has_lost_it_at_once(connection: Connection) -> None:
    a_run(connection)
    agent = an_agent(connection, name="host-7")
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    assert end_lapsed(connection, lapsed_of(connection, held.attempt), 0) is None, "its lease runs"
    assert end_lapsed(connection, lapsed_of(connection, held.attempt), 0, returned=True) is not None
    owner = find_owner(connection, held.attempt)
    assert owner is not None
    assert (owner.attempt_state, owner.reason) == (AttemptState.FAILED, "agent_lost")


def test_a_log_that_was_whole_stays_whole_when_its_agent_is_lost(connection: Connection) -> None:
    a_run(connection)
    agent = an_agent(connection)
    (held,) = lease(connection, agent, lease_ms=-1000)
    start(connection, agent, held.attempt)
    assert close_log(connection, held.log, 10, 0)
    (lapsed,) = find_lapsed(connection)
    assert end_lapsed(connection, lapsed, 10) is not None
    assert attempt_state(connection, held.attempt) is AttemptState.FAILED
    assert find_log(connection, held.log) == LogRow(held.log, LogState.CLOSED, 10, 0)


@pytest.mark.parametrize("begun", [False, True])
def test_an_abort_that_its_agent_never_heard_is_an_abort_when_the_lease_lapses(
    connection: Connection, begun: bool
) -> None:
    run = a_run(connection)
    agent = an_agent(connection, name="host-7")
    (held,) = lease(connection, agent, lease_ms=-1000)
    if begun:
        start(connection, agent, held.attempt)
    assert abort_run(connection, run, "Ada") == [agent]
    (lapsed,) = find_lapsed(connection)
    assert end_lapsed(connection, lapsed, 5) == (run, False)
    view = get_run(connection, run)
    assert states(view) == {"run": "aborted", "test": "aborted"}
    assert (view.jobs[0].reason, view.jobs[0].detail) == (
        "aborted_by",
        "aborted by Ada; agent host-7 was away",
    )
    assert attempts_to_abort(connection, agent) == []


def test_what_an_agent_holds_is_what_has_not_ended(connection: Connection) -> None:
    a_run(connection, a_job("a"), a_job("b"), a_job("c"))
    agent = an_agent(connection)
    one, two, three = lease(connection, agent, free=3)
    start(connection, agent, one.attempt)
    start(connection, agent, two.attempt)
    finish(connection, agent, one.attempt)
    assert held_attempts(connection, agent) == [
        (two.attempt, two.run, two.cookie, two.log, AttemptState.RUNNING, None),
        (three.attempt, three.run, three.cookie, three.log, AttemptState.LEASED, None),
    ]


async def test_a_renewal_that_is_under_way_saves_the_lease(store: Store) -> None:
    agent = await store.write(an_agent)
    await store.write(a_run)
    (held,) = await store.write(lease, agent, lease_ms=-1000)
    (lapsed,) = await store.read(find_lapsed)
    _, ended = await overlapping(
        store,
        lambda connection: renew_leases(connection, agent, LEASE_MS),
        lambda connection: end_lapsed(connection, lapsed, 0),
    )
    assert ended is None
    assert await store.read(attempt_state, held.attempt) is AttemptState.LEASED


async def test_an_abort_and_a_lease_at_once_leave_the_attempt_with_its_agent(store: Store) -> None:
    """What is leased while a run is aborted is the agent's to end: its job has not ended behind its back."""
    run = await store.write(a_run)
    agent = await store.write(an_agent)

    def lease_it(connection: Connection) -> int:
        return lease(connection, agent)[0].attempt

    attempt, told = await overlapping(store, lease_it, lambda connection: abort_run(connection, run, "Ada"))
    assert told == [agent]
    view = await store.read(get_run, run)
    assert states(view) == {"run": "pending", "test": "pending"}
    assert view.jobs[0].attempts[0].log_state is LogState.OPEN
    assert await store.read(attempts_to_abort, agent) == [(attempt, "Ada", 1)]
    await store.write(finish, agent, attempt, AttemptState.ABORTED)
    assert states(await store.read(get_run, run)) == {"run": "aborted", "test": "aborted"}
