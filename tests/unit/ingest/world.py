"""A real store, real logs and one agent, to hold sessions with."""

from __future__ import annotations

from dataclasses import dataclass

from tailrace.domain.wire import ServerMessage
from tailrace.ingest.desk import Desk
from tailrace.ingest.session import Session
from tailrace.store import Store
from tailrace.store.sealing import SealingKey

KEY = SealingKey(bytes(32))


@dataclass(frozen=True)
class World:
    store: Store
    desk: Desk
    agent: int
    run: int
    told: list[ServerMessage]

    def session(self) -> Session:
        """A new connection of the agent; what it is told comes behind what it was told before."""
        return Session(self.desk, self.agent, self.told.append)

    def heard(self, kind: type[ServerMessage]) -> list[ServerMessage]:
        return [message for message in self.told if isinstance(message, kind)]
