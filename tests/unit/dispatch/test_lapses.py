"""What is ended for agents that stay away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from tailrace.dispatch import lapses
from tailrace.dispatch.lapses import LapseKeeper
from tailrace.domain.lease import Lease
from tailrace.domain.plan import JobSpec, Retry
from tailrace.domain.spans import Span, Stream
from tailrace.domain.states import AttemptState
from tailrace.live.bus_memory import MemoryBus
from tailrace.live.hub import LogHub, LogView
from tailrace.live.scopes import QUEUE
from tailrace.logs.tail_file import FileLogStore
from tailrace.store import Store, open_store
from tailrace.store.agent_changes import list_changes
from tailrace.store.agents import agent_came, agent_left, list_agents
from tailrace.store.leases import renew_leases
from tailrace.store.logs import find_log
from tailrace.store.runs import get_run
from tailrace.store.tables import agent as agents
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import job as jobs
from tailrace.store.tables import server as servers
from tests.support.databases import migrated
from tests.unit.store.world import a_job, a_run, an_agent, attempt_state, finish, lease, start, states

LEASE_MS = 60_000


class Place:
    """One agent whose attempt has ended and whose log is open with three bytes."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.bus = MemoryBus()
        self.logs = FileLogStore(folder)
        self.hub = LogHub(self.logs, self._describe)

    async def _describe(self, _log: int) -> LogView | None:
        return None

    async def open(self) -> None:
        await self.bus.start()
        self.agent = await self.store.write(an_agent)
        await self.store.write(a_run)
        self.lease = await self.store.write(_lease, self.agent)
        self.logs.create(self.lease.log)
        self.logs.append(self.lease.log, 0, [Span(0, 1, Stream.STDOUT, 0)], b"one")

    def keeper(self, grace_s: float) -> LapseKeeper:
        return LapseKeeper(
            self.store,
            self.logs,
            self.hub,
            self.bus,
            tick_s=2.0,
            away_ms=LEASE_MS,
            log_grace_s=grace_s,
        )

    async def state(self) -> tuple[str, int | None]:
        row = await self.store.read(find_log, self.lease.log)
        assert row is not None
        return row.state, row.size


def _lease(connection: Connection, agent: int) -> Lease:
    (leased,) = lease(connection, agent)
    start(connection, agent, leased.attempt)
    finish(connection, agent, leased.attempt)
    return leased


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    store = await open_store(migrated(tmp_path / "tailrace.db"))
    place = Place(store, tmp_path / "logs")
    await place.open()
    yield place
    await place.hub.close()
    await place.bus.close()
    await store.close()


async def test_the_log_of_an_ended_attempt_ends_when_its_agent_stays_away(place: Place) -> None:
    """Its watchers get an end, and it can be sealed: what is missing will not come."""
    keeper = place.keeper(grace_s=0)
    await place.store.write(renew_leases, place.agent, LEASE_MS)
    await keeper.look()
    assert await place.state() == ("open", None), "its agent is there"
    await place.store.write(agent_left, place.agent)
    await keeper.look()
    assert await place.state() == ("truncated", 3)


async def test_an_agent_that_was_removed_is_not_waited_for_longer_than_any_other(place: Place) -> None:
    """Whatever it said last of itself."""

    def remove(connection: Connection) -> None:
        renew_leases(connection, place.agent, LEASE_MS)
        connection.execute(update(agents).values(removed_at=1))

    await place.store.write(remove)
    await place.keeper(grace_s=0).look()
    assert await place.state() == ("truncated", 3)


async def test_an_agent_has_time_to_come_back(place: Place) -> None:
    """So long as this server has seen it away; time in which no server ran does not count."""
    keeper = place.keeper(grace_s=3600)
    await place.store.write(agent_left, place.agent)
    await keeper.look()
    await keeper.look()
    assert await place.state() == ("open", None)

    def long_ago(connection: Connection) -> None:
        connection.execute(update(servers).values(seen_at=servers.c.seen_at - 3_600_000))

    keeper = place.keeper(grace_s=0)
    await place.store.write(long_ago)
    await keeper.look()
    assert await place.state() == ("truncated", 3)


async def test_an_agent_for_one_job_that_stays_away_is_forgotten(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at once, not while it holds something, and not one whose machine stays."""

    def come(connection: Connection, id: int, once: bool) -> None:
        agent_came(connection, id, labels=(), capacity=1, version="1", address=None, once=once)
        agent_left(connection, id)

    def there(connection: Connection) -> list[int]:
        return [agent.id for agent in list_agents(connection, LEASE_MS)]

    keeper = place.keeper(grace_s=3600)
    stays, busy, gone = [await place.store.write(an_agent) for _ in range(3)]
    await place.store.write(a_run)
    await place.store.write(lease, busy)
    for id, once in ((stays, False), (busy, True), (gone, True)):
        await place.store.write(come, id, once)
    await keeper.look()
    assert await place.store.read(there) == [place.agent, stays, busy, gone]
    monkeypatch.setattr(lapses, "ONCE_AWAY_S", 0.0)
    await keeper.look()
    assert await place.store.read(there) == [place.agent, stays, busy]
    (change,) = await place.store.read(list_changes, gone)
    assert (change.what, change.by) == ("removed", "the server")


async def test_an_attempt_that_no_agent_takes_in_time_fails_and_says_why(place: Place) -> None:
    """Its job and its run end with it, its log is closed; another one that may still wait goes on waiting."""
    late = await place.store.write(a_run, _waiting("late", 1))
    patient = await place.store.write(a_run, _waiting("patient", 3600))
    await place.store.write(_passes, 2000)
    await place.keeper(10).look()
    run = await place.store.read(get_run, late)
    assert states(run) == {"run": "failed", "late": "failed"}
    attempt = run.jobs[0].attempts[-1]
    assert (run.jobs[0].reason, attempt.state, attempt.reason) == ("start_timeout", "failed", "start_timeout")
    assert attempt.detail is not None
    assert attempt.detail.startswith("no agent took it within ")
    assert attempt.detail.endswith(" s: no agent has label gpu")
    assert (attempt.log_state, attempt.log_size) == ("closed", 0)
    assert states(await place.store.read(get_run, patient)) == {"run": "pending", "patient": "pending"}


async def test_an_attempt_that_an_agent_took_in_time_may_go_on(place: Place) -> None:
    run = await place.store.write(a_run, _waiting("taken", 1))
    (leased,) = await place.store.write(lease, place.agent, "gpu")
    await place.store.write(_passes, 2000)
    await place.keeper(10).look()
    assert await place.store.read(attempt_state, leased.attempt) == "leased"
    assert (await place.store.read(get_run, run)).reason is None


async def test_time_without_a_server_does_not_count_as_waiting(place: Place) -> None:
    keeper = place.keeper(10)
    await keeper.look()
    run = await place.store.write(a_run, _waiting("waits", 60))
    await place.store.write(_passes, 3_600_000)
    await keeper.look()
    assert (await place.store.read(get_run, run)).state == "pending"


def _waiting(name: str, seconds: int) -> JobSpec:
    return a_job(name, labels=["gpu"]).model_copy(update={"start_timeout_s": seconds})


def _passes(connection: Connection, ms: int) -> None:
    """As if what was noted until now had been noted so much earlier, and no server had run since."""
    connection.execute(update(attempts).values(start_by=attempts.c.start_by - ms))
    connection.execute(update(servers).values(seen_at=servers.c.seen_at - ms))


async def test_the_next_attempt_of_a_job_with_a_delay_is_queued_when_it_is_due(place: Place) -> None:
    """By the round that finds it, which wakes the dispatcher."""
    woken = asyncio.Event()
    place.bus.subscribe(QUEUE, lambda _note: woken.set())
    run = await place.store.write(_failed_with_a_delay, place.agent)
    await place.keeper(60).look()
    (job,) = (await place.store.read(get_run, run)).jobs
    assert (job.state, len(job.attempts), woken.is_set()) == ("pending", 1, False)
    await place.store.write(_due)
    await place.keeper(60).look()
    (job,) = (await place.store.read(get_run, run)).jobs
    assert [attempt.state for attempt in job.attempts] == ["failed", "pending"]
    await asyncio.wait_for(woken.wait(), 60)


def _failed_with_a_delay(connection: Connection, agent: int) -> int:
    retry = Retry(max=1, on=("exit_code",), delay_s=60)
    run = a_run(connection, a_job("later").model_copy(update={"retry": retry}))
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    finish(connection, agent, held.attempt, AttemptState.FAILED)
    return run


def _due(connection: Connection) -> None:
    connection.execute(update(jobs).where(jobs.c.retry_at.is_not(None)).values(retry_at=1))
