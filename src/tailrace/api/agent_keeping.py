"""What connected agents need now and then: their leases renewed, their bytes made durable, their silence noticed.

One loop for all, and one transaction for all whose leases are due: a thousand agents that only wait cost a few per cent of a
processor, where a task and a transaction each would cost several times as much.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from tailrace.api.agent_line import AgentLine
from tailrace.dispatch.dispatcher import Seat
from tailrace.domain.report import Load
from tailrace.ingest.desk import Desk
from tailrace.ingest.session import Session
from tailrace.store.agents import read_standings
from tailrace.store.leases import HeardOf, renew_all

SYNC_S = 1.0
SILENCE_S = 60.0
"""Agents ping more often: who is silent for so long is not there any more."""

_log = structlog.get_logger("agents")


class Kept:
    """A connected agent. `heard`: it said something since its leases were renewed; `load` is what it said last of its machine."""

    def __init__(
        self,
        agent_id: int,
        line: AgentLine,
        session: Session,
        seat: Seat,
        removed: Callable[[], Awaitable[None]],
    ) -> None:
        self.agent_id = agent_id
        self.line = line
        self.session = session
        self.seat = seat
        self.removed = removed
        self.heard = False
        self.load: Load | None = None
        self.renewed_at = asyncio.get_running_loop().time()
        self.work: dict[str, asyncio.Task[None]] = {}


class Keeping:
    """Looks after all connected agents once a second."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._all: set[Kept] = set()
        self._renew_s = desk.lease_ms / 4000

    def begin(
        self,
        agent_id: int,
        line: AgentLine,
        session: Session,
        seat: Seat,
        removed: Callable[[], Awaitable[None]],
    ) -> Kept:
        """An agent whose leases have just been renewed; `removed` ends the connection of one that is none any more."""
        kept = Kept(agent_id, line, session, seat, removed)
        self._all.add(kept)
        return kept

    def end(self, kept: Kept) -> None:
        """Its connection has ended."""
        self._all.discard(kept)
        for task in tuple(kept.work.values()):
            task.cancel()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(SYNC_S)
            await self._try(self._desk.stalls.save())
            await self._try(self.look())

    async def look(self) -> None:
        """One round; what is done for one agent alone may go on after it."""
        now = asyncio.get_running_loop().time()
        due: list[Kept] = []
        for kept in self._all:
            if now - kept.line.heard_at > SILENCE_S:
                kept.line.cut()
            if kept.session.unsynced:
                self._do(kept, "sync", kept.session.sync)
            if kept.heard and now - kept.renewed_at >= self._renew_s:
                due.append(kept)
        if due:
            await self._renew(due, now)

    async def _renew(self, due: list[Kept], now: float) -> None:
        for kept in due:
            kept.heard = False
        try:
            heard = [HeardOf(kept.agent_id, kept.load) for kept in due]
            await self._desk.store.write(renew_all, heard, self._desk.lease_ms)
        except Exception:
            for kept in due:
                kept.heard = True  # to be tried again in a second
            raise
        # A wake may have been lost: people may have changed an agent, and attempts may have been taken from it.
        standings = await self._desk.store.read(read_standings, [kept.agent_id for kept in due])
        for kept in due:
            kept.renewed_at = now
            if kept not in self._all:
                continue
            standing = standings.get(kept.agent_id)
            if standing is None:
                self._do(kept, "remove", kept.removed)
                continue
            kept.seat.stand(standing)
            if kept.session.holds:
                self._do(kept, "check", kept.session.check)

    def _do(self, kept: Kept, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Beside the others: a slow disk under one log makes nobody else wait. What is still being done is not begun again."""
        if what not in kept.work:
            task = kept.work[what] = asyncio.create_task(self._try(work()))
            task.add_done_callback(lambda _done: kept.work.pop(what))

    async def _try(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            _log.error("agents' sessions could not be kept up; trying again", error=str(error))
