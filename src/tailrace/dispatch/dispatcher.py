"""Gives pending attempts to the agents that are connected to this server and have room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from tailrace.domain.states import AgentMode
from tailrace.domain.trust import Taker
from tailrace.live.bus import Bus
from tailrace.live.scopes import QUEUE, SEALING, agent_scope, wake_ended, wake_run
from tailrace.store import Store
from tailrace.store.aborts import agents_to_tell
from tailrace.store.agents import Standing
from tailrace.store.leases import Granted, Handover, Offer, lease_attempts
from tailrace.store.oversize import end_oversize, is_oversize

SLOW_S = 5.0
"""How often the queue is looked at without a wake: the price of a wake that was lost."""

_log = structlog.get_logger("dispatch")


class Seat:
    """A connected agent's place: what it could take, and how it gets its work."""

    def __init__(
        self,
        agent_id: int,
        taker: Taker,
        deliver: Callable[[Handover], None],
        ask: Callable[[], None],
    ) -> None:
        self.agent_id = agent_id
        self.taker = taker
        self.free = 0
        self.active = True
        self.deliver = deliver
        self._ask = ask

    def stand(self, standing: Standing) -> None:
        """People may have changed what it is for."""
        before = (self.taker, self.active)
        self.taker = standing.taker
        self.active = standing.mode is AgentMode.ACTIVE
        if before != (self.taker, self.active) and self.active and self.free > 0:
            self._ask()

    def offer(self, free: int) -> None:
        """The agent could take `free` more attempts from now on."""
        self.free = free
        if free > 0:
            self._ask()


class Dispatcher:
    """One loop leases for all seats at once: a burst of runs costs a few transactions, not one each.

    A lease whose agent went away before it was told is told again when the agent is back, or lapses.
    """

    def __init__(self, store: Store, bus: Bus, lease_ms: int) -> None:
        self._store = store
        self._bus = bus
        self._lease_ms = lease_ms
        self._seats: dict[int, Seat] = {}
        self._asked = asyncio.Event()

    def sit(self, agent_id: int, taker: Taker, deliver: Callable[[Handover], None]) -> Seat:
        """A place for an agent that has connected; an older place of the same agent ends."""
        seat = self._seats[agent_id] = Seat(agent_id, taker, deliver, self._asked.set)
        return seat

    def rise(self, seat: Seat) -> None:
        """The agent's connection has ended."""
        if self._seats.get(seat.agent_id) is seat:
            del self._seats[seat.agent_id]

    def offers(self) -> list[Offer]:
        """What the connected agents could take now."""
        return [
            Offer(seat.agent_id, seat.taker, seat.free)
            for seat in self._seats.values()
            if seat.free > 0 and seat.active
        ]

    async def run(self) -> None:
        """Lease until cancelled."""
        unsubscribe = self._bus.subscribe(QUEUE, lambda _note: self._asked.set())
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(SLOW_S):
                        await self._asked.wait()
                self._asked.clear()
                try:
                    await self._lease_all()
                    await self._tell_aborts()
                except Exception as error:
                    _log.error("the queue could not be read; trying again", error=str(error))
                    await asyncio.sleep(1)
                    self._asked.set()
        finally:
            unsubscribe()

    async def _lease_all(self) -> None:
        while offers := self.offers():
            granted = await self._store.write(lease_attempts, offers, self._lease_ms)
            for grant in granted:
                if is_oversize(grant.lease):
                    await self._refuse(grant)
                else:
                    self._deliver(grant)
            if not granted:
                return

    async def _tell_aborts(self) -> None:
        """A run that came may have superseded others."""
        for agent_id in await self._store.read(agents_to_tell):
            self._bus.publish(agent_scope(agent_id))

    async def _refuse(self, grant: Granted) -> None:
        """The agent would lose its connection over it, whenever it came back: the attempt ends instead."""
        _log.warning(
            "an attempt is too large for any agent", attempt=grant.lease.attempt, run=grant.lease.run
        )
        ended = await self._store.write(end_oversize, grant.lease)
        if ended is not None:
            self._bus.publish(SEALING)
            wake_ended(self._bus, ended.run_id, ended.queued)

    def _deliver(self, grant: Granted) -> None:
        seat = self._seats.get(grant.agent_id)
        if seat is not None:
            seat.free = max(seat.free - 1, 0)
            seat.deliver(Handover(grant.lease, grant.sealed, grant.opener))
        wake_run(self._bus, grant.lease.run)
