"""Notices agents that stay away: a lease that has run out goes back to the queue or ends its attempt."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

import structlog

from tailrace.domain.states import AttemptState, LogState
from tailrace.live.bus import Bus
from tailrace.live.hub import LogHub
from tailrace.live.scopes import AGENTS, LAPSED, SEALING, agent_scope, wake_ended
from tailrace.logs.base import LogReader, end_of
from tailrace.store import Store
from tailrace.store.leases import Lapsed, end_lapsed, find_lapsed
from tailrace.store.servers import stamp_server

_log = structlog.get_logger("dispatch")


class LapseKeeper:
    """Stamps this server as alive and ends what has lapsed; every server may do it, each row moves once."""

    def __init__(self, store: Store, logs: LogReader, hub: LogHub, bus: Bus, *, tick_s: float) -> None:
        self._store = store
        self._logs = logs
        self._hub = hub
        self._bus = bus
        self._tick_s = tick_s
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
                    await asyncio.wait_for(lapsed.wait(), self._tick_s)
        finally:
            unsubscribe()

    async def look(self) -> None:
        """One round."""
        away_ms = await self._store.write(stamp_server, self._server, int(self._tick_s * 1000))
        if away_ms:
            _log.info(
                "no server was running for a while: leases were extended", seconds=round(away_ms / 1000, 1)
            )
        for lapsed in await self._store.read(find_lapsed):
            await self.end(lapsed)

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
