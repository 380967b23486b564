"""The contract of the bus: it wakes; what is true is in the store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

Wake = Callable[[int | None], None]
"""Called in the event loop with the note of the wake; it must not block."""


class Bus(ABC):
    """Fan-out of wakes by scope, at most once.

    What it does not promise: that a wake arrives (whoever relies on one looks again on a slow timer and after each
    reconnect), that wakes arrive in order, or that two of the same are told apart from one.
    """

    @abstractmethod
    def publish(self, scope: str, note: int | None = None) -> None:
        """Reach current subscribers at most once; the store is the record. May be called from any thread."""

    @abstractmethod
    def subscribe(self, scope: str, callback: Wake) -> Callable[[], None]:
        """Call `callback` in the event loop at each wake of `scope`; returns what ends that."""

    @abstractmethod
    async def start(self) -> None:
        """Begin to deliver, in the running event loop."""

    @abstractmethod
    async def close(self) -> None:
        """Deliver nothing more."""
