"""How many attempts a second the store leases on SQLite, beside one commit for each lease.

Both sides lease what lies in the same kind of database, with the same function and the same settings of SQLite. Ours asks
the store, as the dispatcher does; the baseline calls the function in a transaction of its own, with nothing in between.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from sqlalchemy import Connection

from benchmarks.harness import Report, Row, median, take_turns
from tailrace.domain.events import Event, EventKind
from tailrace.domain.plan import JobSpec, Plan, RunStep
from tailrace.domain.trust import Taker
from tailrace.store import Store
from tailrace.store.agents import add_agent_token, register_agent
from tailrace.store.leases import Offer, lease_attempts
from tailrace.store.open import open_store, sqlite_path
from tailrace.store.plans import create_plan
from tailrace.store.projects import create_project
from tailrace.store.runs import NewRun, create_run
from tailrace.store.sqlite import sqlite_engine

LEASE_MS = 30_000
ASKING = 64
"""How many wait for a lease at once: what shares a commit."""
AT_ONCE = 8
"""How many attempts an agent of capacity 8 takes in one transaction."""
ANY = Taker(frozenset())


async def measure(folder: Path, quick: bool) -> Report:
    """Leases a second, for agents that ask one by one and for agents with room for eight."""
    rounds, size = (1, ASKING) if quick else (3, 8 * ASKING)
    url = f"sqlite:///{folder / 'leases.db'}"
    store = await open_store(url)
    try:
        queue = await Queue.make(store)

        async def one_each() -> float:
            await queue.fill(size)
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for _ in range(ASKING):
                    group.create_task(queue.lease(size // ASKING, room=1))
            return size / (time.perf_counter() - began)

        async def eight_each() -> float:
            await queue.fill(size)
            began = time.perf_counter()
            await queue.lease(size // AT_ONCE, room=AT_ONCE)
            return size / (time.perf_counter() - began)

        async def one_commit_each() -> float:
            await queue.fill(size)
            return await asyncio.to_thread(_lease_alone, sqlite_path(url), queue.agent, size)

        ours, alone = await take_turns(rounds, one_each, one_commit_each)
        together, alone_again = await take_turns(rounds, eight_each, one_commit_each)
    finally:
        await store.close()
    return Report(
        (
            Row(
                f"leases: one each, {ASKING} asking at once",
                median(ours),
                median(alone),
                "leases/s",
                len(ours),
            ),
            Row(
                f"leases: {AT_ONCE} for one agent at once",
                median(together),
                median(alone_again),
                "leases/s",
                len(together),
            ),
        )
    )


class Queue:
    """A plan whose runs can be queued, and an agent that takes them."""

    def __init__(self, store: Store, run: NewRun, agent: int) -> None:
        self._store = store
        self._run = run
        self.agent = agent

    @classmethod
    async def make(cls, store: Store) -> Queue:
        """In an empty store."""
        project = await store.write(create_project, "bench", "/nowhere")
        plan = await store.write(create_plan, project.id, "no-op", definition="jobs: {}", path=None)
        await store.write(add_agent_token, "token", (), LEASE_MS)
        agent = await store.write(
            register_agent, "token", "credential", name="agent", labels=(), capacity=AT_ONCE, version="0"
        )
        job = JobSpec(name="job", checkout=False, steps=(RunStep(name="true", run="true"),))
        run = NewRun(
            plan.id, project.id, Event(kind=EventKind.MANUAL), "manual", planned=Plan(jobs={job.name: job})
        )
        return cls(store, run, agent)

    async def fill(self, size: int) -> None:
        """Queue attempts."""
        await asyncio.gather(*(self._store.write(create_run, self._run) for _ in range(size)))

    async def lease(self, times: int, room: int) -> None:
        """Ask for `room` attempts, so many times after each other; raises AssertionError when fewer are given."""
        offer = Offer(self.agent, ANY, room)
        for _ in range(times):
            granted = await self._store.write(lease_attempts, [offer], LEASE_MS)
            assert len(granted) == room, f"{len(granted)} attempts were leased instead of {room}"


def _lease_alone(path: Path, agent: int, size: int) -> float:
    """Leases a second with a commit each, on a connection set up like the store's."""
    engine = sqlite_engine(path)
    with engine.connect() as connection:
        began = time.perf_counter()
        for _ in range(size):
            _lease_one(connection, agent)
        rate = size / (time.perf_counter() - began)
    engine.dispose()
    return rate


def _lease_one(connection: Connection, agent: int) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    granted = lease_attempts(connection, [Offer(agent, ANY, 1)], LEASE_MS)
    connection.exec_driver_sql("COMMIT")
    assert len(granted) == 1, "nothing was leased"
