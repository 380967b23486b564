"""Agents that are only connections: they register, beat, take leases and say how each ended, and execute nothing."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tailrace.domain.events import Event, EventKind
from tailrace.domain.facts import Finished, Started
from tailrace.domain.outcome import Outcome
from tailrace.domain.plan import JobSpec, Plan, RunStep
from tailrace.domain.report import Load
from tailrace.domain.states import AttemptState
from tailrace.domain.wire import Beat, CloseLog, Hello, Ready, Said
from tailrace.store import Store
from tailrace.store.agents import add_agent_token, register_agent
from tailrace.store.open import open_store
from tailrace.store.plans import create_plan
from tailrace.store.projects import create_project
from tailrace.store.runs import NewRun, create_run

LABELS = ("linux", "x86_64", "git", "python3.11", "python3.12")
_LIFE_MS = 600_000
_AT_ONCE = 100
_LOAD = Load(waiting=0.5, memory_free=2**30, disk_free=2**36)


class Given(NamedTuple):
    """What leases cost: seconds from the first offer to the last lease, and when (s) each came since then."""

    seconds: float
    moments: Sequence[float]


async def furnish(database: Path, agents: int, pending: int) -> list[str]:
    """Make a database in which so many agents are registered and so many jobs are pending; the agents' credentials."""
    credentials = [f"credential-{number}" for number in range(agents)]
    database.parent.mkdir(parents=True, exist_ok=True)
    store = await open_store(f"sqlite:///{database}")
    try:
        for number, credential in enumerate(credentials):
            await _register(store, f"agent-{number}", credential)
        await queue(store, pending)
    finally:
        await store.close()
    return credentials


async def queue(store: Store, pending: int) -> None:
    """So many runs of one job, in one project."""
    project = await store.write(create_project, "bench", "/nowhere")
    plan = await store.write(create_plan, project.id, "no-op", definition="jobs: {}", path=None)
    job = JobSpec(name="job", labels=("linux",), checkout=False, steps=(RunStep(name="true", run="true"),))
    run = NewRun(
        plan.id, project.id, Event(kind=EventKind.MANUAL), "manual", planned=Plan(jobs={job.name: job})
    )
    for start in range(0, pending, 1000):
        await asyncio.gather(*(store.write(create_run, run) for _ in range(min(1000, pending - start))))


async def _register(store: Store, name: str, credential: str) -> None:
    await store.write(add_agent_token, f"token of {name}", (), _LIFE_MS)
    hash = hashlib.sha256(credential.encode()).hexdigest()
    await store.write(
        register_agent, f"token of {name}", hash, name=name, labels=LABELS, capacity=1, version="0"
    )


class Agents:
    """Connected agents. `beat_s`: how often each says that it is alive; `ping_s` as real agents do."""

    def __init__(self, sockets: list[ClientConnection]) -> None:
        self._sockets = sockets
        self._leases: list[float] = []
        self._wanted = 0
        self._carry = False
        self._enough = asyncio.Event()
        self._tasks = [asyncio.create_task(self._listen(socket)) for socket in sockets]

    @classmethod
    async def connect(cls, port: int, credentials: Sequence[str]) -> Agents:
        """All of them, welcomed; they offer no place yet."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(credential: str) -> ClientConnection:
            async with room:
                socket = await connect(
                    f"ws://127.0.0.1:{port}/agent/v1",
                    additional_headers={"Authorization": f"Bearer {credential}"},
                    compression=None,
                    proxy=None,
                    ping_interval=10,
                    max_size=None,
                )
                await socket.send(_json(Hello(version="0", labels=LABELS, capacity=1)), text=True)
                assert orjson.loads(await socket.recv())["kind"] == "welcome"
                return socket

        return cls(list(await asyncio.gather(*map(one, credentials))))

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(
            *self._tasks, *(socket.close() for socket in self._sockets), return_exceptions=True
        )

    async def take(self, leases: int, *, carry: bool, within_s: float = 120) -> Given:
        """Each offers one place, and again after each lease, until so many were given to all together.

        With `carry` an agent says first that the attempt started, passed and closed its empty log.
        """
        self._leases, self._wanted, self._carry = [], leases, carry
        self._enough.clear()
        began = time.perf_counter()
        for socket in self._sockets:
            await socket.send(_READY, text=True)
        async with asyncio.timeout(within_s):
            await self._enough.wait()
        moments = [moment - began for moment in self._leases]
        return Given(moments[leases - 1], moments)

    async def beat(self, beat_s: float, seconds: float) -> None:
        """Say for so long that all are alive, evenly spread."""
        end = time.perf_counter() + seconds
        beat = _json(Beat(load=_LOAD))
        while time.perf_counter() < end:
            for socket in self._sockets:
                await socket.send(beat, text=True)
                await asyncio.sleep(beat_s / len(self._sockets))

    async def _listen(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for frame in socket:
                message: dict[str, Any] = orjson.loads(frame)
                if message["kind"] == "leased":
                    await self._leased(socket, message["lease"])

    async def _leased(self, socket: ClientConnection, lease: dict[str, Any]) -> None:
        self._leases.append(time.perf_counter())
        if self._carry:
            for message in _life(lease["attempt"], lease["log"]):
                await socket.send(message, text=True)
        if len(self._leases) >= self._wanted:
            self._enough.set()
        else:
            await socket.send(_READY, text=True)


def _life(attempt: int, log: int) -> list[str]:
    now = int(time.time() * 1000)
    passed = Outcome(state=AttemptState.PASSED, exit_code=0)
    facts = (Started(time=now), Finished(time=now, outcome=passed, size=0, crc32=0))
    said = (Said(attempt=attempt, index=index, fact=fact) for index, fact in enumerate(facts))
    return [*map(_json, said), _json(CloseLog(attempt=attempt, log=log, size=0, crc32=0))]


def _json(message: Hello | Ready | Beat | Said | CloseLog) -> str:
    return message.model_dump_json()


_READY = _json(Ready(free=1))
