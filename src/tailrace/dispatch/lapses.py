"""Notices agents that stay away: a lease that has run out goes back to the queue or ends its attempt; attempts that
none took in time; and jobs whose next attempt is due."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress

import structlog

from tailrace.dispatch.why import explain, what_holds
from tailrace.domain.errors import NotFound
from tailrace.domain.states import AttemptState, LogState
from tailrace.live.bus import Bus
from tailrace.live.hub import LogHub
from tailrace.live.scopes import AGENTS, LAPSED, SEALING, agent_scope, wake_ended, wake_run
from tailrace.logs.base import LogReader, end_of
from tailrace.store import Store
from tailrace.store.agents import find_once_away, list_agents, remove_agent
from tailrace.store.delays import find_due, queue_due
from tailrace.store.job_views import get_job
from tailrace.store.leases import Lapsed, end_lapsed, find_lapsed
from tailrace.store.servers import stamp_server
from tailrace.store.stalls import LeftLog, find_left_logs, truncate_left
from tailrace.store.start_timeouts import Late, find_late, give_up

ONCE_AWAY_S = 3600.0
"""How long an agent that lives for one job may stay away, of this server's own time, until it is forgotten."""
_log = structlog.get_logger("dispatch")


class LapseKeeper:
    """Stamps this server as alive and ends what has lapsed; every server may do it, each row moves once.

    A log whose attempt has ended while its agent was away waits for that agent for `log_grace_s` of this server's own time,
    then ends as it is.
    """

    def __init__(
        self,
        store: Store,
        logs: LogReader,
        hub: LogHub,
        bus: Bus,
        *,
        tick_s: float,
        away_ms: int,
        log_grace_s: float,
    ) -> None:
        self._store = store
        self._logs = logs
        self._hub = hub
        self._bus = bus
        self._tick_s = tick_s
        self._away_ms = away_ms
        self._log_grace_s = log_grace_s
        self._left: dict[int, float] = {}  # log -> since when its agent is away (s)
        self._once_away: dict[int, float] = {}  # agent -> since when it is away (s)
        self._server = secrets.token_hex(16)

    async def run(self) -> None:
        """Keep watch until cancelled."""
        lapsed = asyncio.Event()
        unsubscribe = self._bus.subscribe(LAPSED, lambda _note: lapsed.set())
        try:
            while True:
                lapsed.clear()
                try:
                    await self.look()
                except Exception as error:
                    _log.error("leases could not be checked; trying again", error=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._tick_s):
                        await lapsed.wait()
        finally:
            unsubscribe()

    async def look(self) -> None:
        """One round."""
        away_ms = await self._store.write(stamp_server, self._server, int(self._tick_s * 1000))
        if away_ms:
            _log.info(
                "no server was running for a while: leases were extended", seconds=round(away_ms / 1000, 1)
            )
            self._once_away.clear()
            self._left.clear()  # their agents could not come back meanwhile
        for lapsed in await self._store.read(find_lapsed):
            await self.end(lapsed)
        for late in await self._store.read(find_late):
            await self.give_up(late)
        for due in await self._store.read(find_due):
            if await self._store.write(queue_due, due):
                wake_ended(self._bus, due.run_id, True)
        now = time.monotonic()
        left = await self._store.read(find_left_logs, self._away_ms)
        self._left = {one.log_id: self._left.get(one.log_id, now) for one in left}
        for one in left:
            if now - self._left[one.log_id] >= self._log_grace_s:
                await self.truncate(one)
        away = await self._store.read(find_once_away, self._away_ms)
        self._once_away = {id: self._once_away.get(id, now) for id in away}
        for id, since in self._once_away.items():
            if now - since >= ONCE_AWAY_S:
                await self.forget(id)

    async def forget(self, agent_id: int) -> None:
        """Remove an agent whose machine was there for one job and has not come back."""
        with suppress(NotFound):  # another server did it, or a person
            await self._store.write(
                remove_agent,
                agent_id,
                "the server",
                "its machine was there for one job and did not come back",
            )
            _log.info("an agent that was there for one job is forgotten", agent=agent_id)
        self._bus.publish(agent_scope(agent_id))
        self._bus.publish(AGENTS)

    async def end(self, lapsed: Lapsed, *, returned: bool = False) -> None:
        """Give back or end one attempt; `returned` as in `end_lapsed`."""
        size = await asyncio.to_thread(end_of, self._logs, lapsed.log_id)
        ended = await self._store.write(end_lapsed, lapsed, size, returned=returned)
        if ended is None:
            return
        _log.warning(
            "a lease has run out", attempt=lapsed.attempt_id, agent=lapsed.agent_id, was=lapsed.state.value
        )
        if lapsed.state is AttemptState.RUNNING:
            self._hub.ended(lapsed.log_id, size, LogState.TRUNCATED)
            self._bus.publish(SEALING)
        wake_ended(self._bus, ended.run_id, ended.queued)
        self._bus.publish(agent_scope(lapsed.agent_id))
        self._bus.publish(AGENTS)

    async def give_up(self, late: Late) -> None:
        """End an attempt that waited for longer than its plan allows, with what it waited for."""
        job = await self._store.read(get_job, late.job_id)
        agents = await self._store.read(list_agents, self._away_ms)
        why = explain(job, agents, await self._store.read(what_holds, late.run_id))
        detail = f"no agent took it within {late.waited_ms // 1000} s{f': {why}' if why else ''}"
        ended = await self._store.write(give_up, late, detail)
        if ended is None:
            return
        _log.warning("an attempt was not started in time", attempt=late.attempt_id, detail=detail)
        self._bus.publish(SEALING)
        wake_ended(self._bus, ended.run_id, ended.queued)

    async def truncate(self, left: LeftLog) -> None:
        """End a log whose attempt has ended and whose agent stays away: what is missing will not come."""
        size = await asyncio.to_thread(end_of, self._logs, left.log_id)
        if not await self._store.write(truncate_left, left, size, self._away_ms):
            return
        _log.warning("the rest of a log will not come", log=left.log_id, agent=left.agent_id, size=size)
        self._hub.ended(left.log_id, size, LogState.TRUNCATED)
        self._bus.publish(SEALING)
        wake_run(self._bus, left.run_id)
        self._bus.publish(agent_scope(left.agent_id))
