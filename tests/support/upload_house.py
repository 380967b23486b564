"""The whole way of log bytes in this process, on real files and a real store, and the means to break it anywhere.

Nothing happens by itself: time stands still, frames stay where they are, nobody looks, until the test says so.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from websockets.asyncio.client import ClientConnection

from tailrace.agent.link import Link
from tailrace.agent.supervisor import Supervisor
from tailrace.domain.errors import Invalid, LeaseLost, NoRoom
from tailrace.domain.facts import Finished, Started, StepBegan
from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Outcome
from tailrace.domain.spans import Span, Stream
from tailrace.domain.states import AttemptState
from tailrace.domain.wire import (
    AGENT_MESSAGE,
    SERVER_MESSAGE,
    CloseLog,
    Gap,
    Said,
    ServerMessage,
    Stalled,
    Trouble,
)
from tailrace.ingest.desk import Desk
from tailrace.ingest.left_logs import LeftLogs
from tailrace.ingest.session import Session
from tailrace.ingest.stalls import Stalls
from tailrace.live.bus_memory import MemoryBus
from tailrace.live.hub import LogHub, LogView
from tailrace.logs.tail_file import FileLogStore
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.freed import read_mark
from tailrace.runner.journal import JournalReader, JournalWriter
from tailrace.runner.spool import SpoolReader, SpoolWriter
from tailrace.runner.warm import WarmParent
from tailrace.store.sealing import SealingKey
from tailrace.store.sqlite import SqliteStore

P = ParamSpec("P")
T = TypeVar("T")
KEY = SealingKey(bytes(32))
NO_ROOM = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class StillLoop(asyncio.SelectorEventLoop):
    """Its clock goes only when it is told to."""

    now = 1000.0

    def time(self) -> float:
        return self.now


class FullStore(SqliteStore):
    """A real store whose disk may be full."""

    full = False

    async def write(
        self, function: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self.full:
            raise NoRoom
        return await super().write(function, *args, **kwargs)


class MortalLogs(FileLogStore):
    """Real files whose disk may be full, and of which a power loss takes what was not synced."""

    def __init__(self, folder: Path, survives: dict[int, int]) -> None:
        super().__init__(folder)
        self.full = False
        self.survives = survives
        self._place = folder

    def append(self, log: int, offset: int, spans: Any, data: Any) -> int:
        if self.full and offset == self.end(log):
            raise NO_ROOM
        return super().append(log, offset, spans, data)

    def sync(self, log: int) -> int:
        if self.full:
            raise NO_ROOM
        self.survives[log] = super().sync(log)
        return self.survives[log]

    def remove(self, log: int) -> None:
        super().remove(log)
        self.survives.pop(log, None)

    def lose(self, log: int, end: int) -> None:
        """The bytes from `end` on are gone; for after `close`."""
        path = self._place / "0" / f"{log}.log"
        if path.exists():
            os.truncate(path, end)


class Server:
    """A server for one agent; `down` is what it says."""

    def __init__(self, folder: Path, database: Path, agent_id: int, survives: dict[int, int]) -> None:
        self.store = FullStore(database)
        self.logs = MortalLogs(folder, survives)
        self.bus = MemoryBus()
        self.hub = LogHub(self.logs, self._describe)
        stalls = Stalls(self.store, self.bus)
        self.desk = Desk(
            self.store, self.logs, self.hub, self.bus, 10**9, self.logs, KEY,
            left_logs=LeftLogs(self.store), stalls=stalls,
        )  # fmt: skip
        self.agent_id = agent_id
        self.down: deque[str] = deque()

    async def _describe(self, _log: int) -> LogView | None:
        return None

    async def open(self) -> None:
        await self.bus.start()

    def session(self) -> Session:
        def say(message: ServerMessage) -> None:
            self.down.append(message.model_dump_json())

        return Session(self.desk, self.agent_id, say)

    async def die(self) -> None:
        await self.hub.close()
        await self.bus.close()
        await self.store.close()
        self.logs.close()


class Runner:
    """What a runner's process does to an attempt's folder; `shadow` is all that ever reached the disk."""

    def __init__(self, folder: AttemptFolder) -> None:
        self.folder = folder
        self._lock = folder.take_lock()
        self._spool = SpoolWriter.open(folder)
        self._journal = JournalWriter.open(folder)
        self._reader = SpoolReader(folder)
        self._full = False
        self._time = 1000
        self.alive = True
        self.shadow = bytearray()
        self.spans: list[Span] = []
        self.said: set[int] = set()
        self._journal.write(Started(time=1))

    def fill(self, full: bool) -> None:
        """Its disk is full, or is not any more."""
        self._full = full
        self._limit()

    def write(self, length: int, pieces: int) -> None:
        noise = random.Random(self._spool.size)
        for number in range(pieces):
            if self._spool.pending:
                break  # a runner reads no pipe then
            self._time += 10
            stream = (Stream.STDOUT, Stream.STDERR)[number % 3 == 1]
            self._spool.write(self._time, stream, number % 2, noise.randbytes(max(length // pieces, 1)))
        self.keep()

    def say(self, step: int) -> None:
        if not self._full:
            self.said.add(step)
            self._journal.write(StepBegan(time=2, step=step, name=f"step {step}"))

    def finish(self) -> bool:
        """Its last word, unless its disk is full."""
        if self._full or not self._spool.flush():
            return False
        self.keep()
        outcome = Outcome(state=AttemptState.PASSED, exit_code=0)
        size, crc32 = self._spool.size, self._spool.crc32
        self._journal.write(Finished(time=3, outcome=outcome, size=size, crc32=crc32))
        self.die()
        return True

    def die(self) -> None:
        """What it had not written is lost with it."""
        self.alive = False
        self._spool.close()
        self._journal.close()
        self._lock.release()

    def keep(self) -> None:
        """Remember what has reached the disk, before it can be freed."""
        self._spool.flush() if self.alive else None
        spans, data = self._reader.read(len(self.shadow), 1 << 30, 1 << 30)
        self.shadow += data
        self.spans += spans

    def _limit(self) -> None:
        spool = self._spool
        if self._full:
            spool.flush = lambda: not spool.pending  # nothing gets through
        elif "flush" in vars(spool):
            del spool.flush
            spool.flush()

    @property
    def freed(self) -> int:
        return read_mark(self.folder.freed).offset

    @property
    def finished(self) -> Finished | None:
        facts = JournalReader(self.folder).read(0)
        return facts[-1] if facts and isinstance(facts[-1], Finished) else None


class Wire:
    """The agent's end of a connection: a frame waits until it may go."""

    def __init__(self) -> None:
        self.up: deque[str | bytes] = deque()
        self.permits = asyncio.Semaphore(0)

    async def send(self, frame: str | bytes, text: bool | None = None) -> None:
        await self.permits.acquire()
        self.up.append(frame)


class UploadHouse:
    """An agent with attempts, a server, and what is on the way between them."""

    def __init__(self, folder: Path, leases: list[Lease], database: Path, agent_id: int) -> None:
        self.loop = StillLoop()
        self.folder = folder
        self._database = database
        self._agent_id = agent_id
        self.survives: dict[int, int] = {}
        (folder / "agent").mkdir(parents=True)
        places = [AttemptFolder.create(folder / "agent" / "attempts", lease) for lease in leases]
        self.runners = {lease.log: Runner(place) for lease, place in zip(leases, places, strict=True)}
        self.leases = {lease.log: lease for lease in leases}
        self.session: Session | None = None
        self.link: Link | None = None
        self.wire = Wire()
        self.old: deque[bytes] = deque(maxlen=12)
        self._pump: asyncio.Task[None] | None = None
        self.run(self._open())

    async def _open(self) -> None:
        self._make_agent()
        await self._make_server()

    def _make_agent(self) -> None:
        place = self.folder / "agent"
        self.supervisor = Supervisor(place, ("linux",), 4, WarmParent(place))
        self.supervisor.adopt()

    async def _make_server(self) -> None:
        self.server = Server(self.folder / "logs", self._database, self._agent_id, self.survives)
        await self.server.open()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    # The agent's side

    async def settle(self) -> None:
        """Let everything happen that needs neither time nor the wires."""
        loop = asyncio.get_running_loop()
        for _ in range(12):
            await asyncio.sleep(0)
        while self.supervisor.busy:
            await loop.run_in_executor(None, time.sleep, 0.0005)
        if self._pump is not None and self._pump.done():
            self._pump.result()

    async def look(self) -> None:
        for runner in self.runners.values():
            if not runner.alive and not runner.folder.path.exists():
                continue
            runner.keep()
        self.supervisor.look()
        await self.settle()
        for runner in self.runners.values():
            if not runner.alive and runner.folder.path.exists():
                runner.keep()  # what was said for a dead runner

    async def restart_agent(self) -> None:
        """kill -9, and another agent in its place."""
        await self.cut()
        await self.supervisor.close()
        self._make_agent()

    # The wires

    async def connect(self) -> None:
        """A new connection, unless the server cannot greet."""
        session = self.server.session()
        self.server.down.clear()
        try:
            await session.begin(self.supervisor.hello().holds)
        except (LeaseLost, OSError, NoRoom):
            return
        self.session = session
        self.wire = Wire()
        self.link = Link(cast(ClientConnection, self.wire), 10**6, self.supervisor.load)
        self.supervisor.connected(self.link)
        self._pump = asyncio.create_task(self.link.pump())
        await self.settle()

    async def cut(self) -> None:
        """The connection is lost with all that was on it."""
        if self._pump is None:
            return
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        self._pump = self.link = self.session = None
        self.wire.up.clear()
        self.server.down.clear()
        self.supervisor.disconnected()

    async def send(self, most: int) -> int:
        """Up to so many frames leave the agent; how many did."""
        wire, before = self.wire, len(self.wire.up)
        for _ in range(most):
            wire.permits.release()
        await self.settle()
        while not wire.permits.locked():
            await wire.permits.acquire()
        return len(wire.up) - before

    async def arrive(self, most: int) -> None:
        """Up to so many frames reach the server."""
        for _ in range(min(most, len(self.wire.up))):
            frame = self.wire.up.popleft()
            if isinstance(frame, bytes):
                self.old.append(frame)
            await self.take(frame)
            if self.session is None:
                return

    async def take(self, frame: str | bytes) -> None:
        """The server gets a frame; what it cannot bear ends the connection."""
        session = self.session
        if session is None:
            return
        try:
            if isinstance(frame, bytes):
                await session.chunks([frame])
                return
            match AGENT_MESSAGE.validate_json(frame):
                case Said() as said:
                    await session.said_all([said])
                case CloseLog() as closing:
                    await session.close_log(closing)
                case Gap() as gap:
                    await session.gap(gap)
                case Stalled() as stalled:
                    await session.stalled(stalled)
                case Trouble() as trouble:
                    await session.trouble(trouble)
                case _:
                    pass
        except (LeaseLost, Invalid, OSError, NoRoom):
            await self.cut()

    async def answer(self, most: int) -> None:
        """Up to so many messages reach the agent."""
        for _ in range(min(most, len(self.server.down))):
            self.supervisor.heard(SERVER_MESSAGE.validate_json(self.server.down.popleft()))
        await self.settle()

    # The server's side

    async def sync(self) -> None:
        if self.session is not None:
            with suppress(OSError):
                await self.session.sync()
            await self.server.desk.stalls.save()

    async def restart_server(self, lose: Callable[[int, int, int], int]) -> None:
        """kill -9, and another server in its place. `lose` says where a log of (id, durable, size) ends then."""
        await self.cut()
        ends = {log: self._end(log) for log in self.runners}
        await self.server.die()
        for log, end in ends.items():
            kept = lose(log, self.survives.get(log, 0), end)
            if kept < end:
                self.server.logs.lose(log, kept)
                self.survives[log] = min(self.survives.get(log, 0), kept)
        await self._make_server()

    def held(self, log: int) -> bytes:
        """The server's bytes of a log."""
        return self.server.logs.read(log, 0, self._end(log)) if self._end(log) else b""

    def _end(self, log: int) -> int:
        from tailrace.logs.base import end_of

        return end_of(self.server.logs, log)

    async def _close(self) -> None:
        await self.cut()
        await self.supervisor.close()
        await self.server.die()

    def close(self) -> None:
        self.run(self._close())
        for runner in self.runners.values():
            if runner.alive:
                runner.die()
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
