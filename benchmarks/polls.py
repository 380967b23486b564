"""1,000 poll triggers on one server: how many it looks at in a second, beside the same questions asked without Tailrace.

In process, on SQLite: all triggers are due at once, and the clock runs until each was looked at and what came of it is
stored. Those of git ask repositories on the same disk; those of URLs a server in the same process.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import httpx2
from sqlalchemy import Connection, func, select, update

from benchmarks.harness import Report, Row, compare, median
from tailrace.domain.triggers import GitSettings, TriggerSettings, UrlSettings
from tailrace.guard import Guard
from tailrace.live.bus_memory import MemoryBus
from tailrace.sources.polls import Polls
from tailrace.sources.repositories import Repositories
from tailrace.store import Store, open_store
from tailrace.store.plans import create_plan
from tailrace.store.polls import next_look_in
from tailrace.store.projects import create_project
from tailrace.store.sealing import SealingKey
from tailrace.store.tables import trigger as triggers
from tailrace.store.triggers import add_trigger, claim_due
from tailrace.triggers.poller import AT_ONCE, CLAIM_MS, POLLED, Poller

REPOSITORIES = 20
PASSES = 50


async def measure(folder: Path, quick: bool) -> Report:
    """Looks a second, and what asking costs while nothing is due."""
    count, rounds = (20, 1) if quick else (1000, 2)
    places = [_repository(folder / f"repository-{number}") for number in range(REPOSITORIES)]
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    async def raw_git(number: int) -> None:
        command = ("git", "ls-remote", places[number % REPOSITORIES], "refs/heads/*", "refs/tags/*")
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        await process.communicate()

    rows: list[Row] = []
    async with httpx2.AsyncClient() as client:

        async def raw_url(_number: int) -> None:
            (await client.get(url)).raise_for_status()

        wishes: list[tuple[str, Sequence[TriggerSettings], Callable[[int], Awaitable[None]]]] = [
            ("git", [GitSettings(interval_s=3600)], raw_git),
            ("URLs", [UrlSettings(url=url, interval_s=3600)], raw_url),
        ]
        for what, settings, raw in wishes:
            store = await open_store(f"sqlite:///{folder / what}.db")
            try:
                await store.write(_fill, places, settings[0], count)
                house = _House(store, folder, count)
                name = f"polls: {count:,} triggers of {what}, all due"
                rows.append(
                    await compare(
                        name, "looks/s", rounds, house.look_at_all, lambda raw=raw: _all(raw, count)
                    )
                )
                if what == "URLs":
                    rows.append(await house.nothing_due())
            finally:
                await store.close()
    server.close()
    return Report(tuple(rows), (f"polls: {AT_ONCE} looks at once, as many by the baseline",))


class _House:
    """A store full of triggers, and a poller on it."""

    def __init__(self, store: Store, folder: Path, count: int) -> None:
        self._store = store
        self._count = count
        self._polls = Polls(Repositories(folder / "mirrors"), Guard.allowing("allowed", ["127.0.0.1"]))

    async def look_at_all(self) -> float:
        """Looks a second."""
        await self._store.write(_all_due)
        bus = MemoryBus()
        await bus.start()
        began = time.perf_counter()
        task = asyncio.create_task(Poller(self._store, bus, SealingKey(b"k" * 32), self._polls).run())
        while await self._store.read(_looked_at) < self._count:
            await asyncio.sleep(0.02)
        took = time.perf_counter() - began
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bus.close()
        return self._count / took

    async def nothing_due(self) -> Row:
        """ms for what a server does each time that it wakes, with all of these and one of them that waits."""
        samples: list[float] = []
        bare: list[float] = []
        for _ in range(PASSES):
            began = time.perf_counter()
            await self._store.write(claim_due, "bench", CLAIM_MS, AT_ONCE, POLLED)
            await self._store.read(next_look_in)
            samples.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            await self._store.write(_nothing)
            await self._store.read(_nothing)
            bare.append((time.perf_counter() - began) * 1000)
        name = f"polls: {self._count:,} triggers, none due: asking"
        return Row(name, median(samples), median(bare), "ms", PASSES)


async def _all(ask: Callable[[int], Awaitable[None]], count: int) -> float:
    """The same questions, as many at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with room:
            await ask(number)

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    return count / (time.perf_counter() - began)


def _fill(connection: Connection, places: Sequence[str], settings: TriggerSettings, count: int) -> None:
    for number, place in enumerate(places):
        project = create_project(connection, f"project-{number}", place)
        plan = create_plan(connection, project.id, "plan", path=".tailrace.yml")
        for each in range(count // len(places)):
            add_trigger(connection, plan.id, f"poll-{each}", settings)


def _all_due(connection: Connection) -> None:
    connection.execute(
        update(triggers).where(triggers.c.kind != "webhook").values(next_at=1, last_at=None, seen=None)
    )


def _looked_at(connection: Connection) -> int:
    query = select(func.count()).select_from(triggers).where(triggers.c.last_state == "ok")
    return connection.execute(query.where(triggers.c.last_at.is_not(None))).scalar_one()


def _nothing(connection: Connection) -> None:
    connection.execute(select(1)).scalar_one()


def _repository(place: Path) -> str:
    place.mkdir()
    who = ("-c", "user.name=Mia", "-c", "user.email=mia@example.com")
    for command in (
        ("init", "-q", "-b", "main"),
        (*who, "commit", "-q", "--allow-empty", "-m", "One"),
    ):
        subprocess.run(["git", *command], cwd=place, check=True)
    return str(place)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1.0")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        writer.close()
