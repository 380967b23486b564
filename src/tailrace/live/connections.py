"""The open connections of watchers: how many there may be, one timer that beats for all, one call that ends all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from tailrace.domain.errors import Crowded

BEAT_S = 15.0
"""Proxies cut connections that are idle for 60 s."""

TURNS = 61
"""A beat is spread over so many moments: with 20,000 connections each of them takes about two milliseconds. A prime, so
that the addresses of objects spread evenly."""

CLOSE_GRACE_S = 0.5
"""How long a connection may take to say goodbye; one whose client does not read never could."""

CROWDED_S = 10
"""When one who found no room may come back."""


class Client(NamedTuple):
    """Whose connections: the id and name of a token, and from where it is used."""

    token: int
    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} at {self.address}"


class Connection(Protocol):
    """A watcher's connection, as seen from the one place that knows all; called in the event loop, must not block."""

    @property
    def client(self) -> Client:
        """Whose connection it is."""
        ...

    def beat(self) -> None:
        """Say that you are alive; notice that the other end is not."""
        ...

    def close(self) -> None:
        """Tell the client when to come back, and end."""
        ...

    def abandon(self) -> None:
        """End at once, without a word."""
        ...


class Connections:
    """What is open, and whether anything more may be: `most` in all, `most_of_one` of one client."""

    def __init__(
        self, beat_s: float = BEAT_S, most: int | None = None, most_of_one: int | None = None
    ) -> None:
        self.closed = False
        self._beat_s = beat_s
        self._most = most
        self._most_of_one = most_of_one
        self._turns: list[set[Connection]] = [set() for _ in range(TURNS)]
        self._count = 0
        self._of_one: dict[Client, int] = {}
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return self._count

    @property
    def tokens(self) -> frozenset[int]:
        """The ids of the tokens that have connections open."""
        return frozenset(client.token for client in self._of_one)

    def join(self, connection: Connection) -> None:
        """Count this connection in, until `leave`. One that joins after `close` is closed at once.

        Raises Crowded, with who has taken the room.
        """
        client = connection.client
        of_one = self._of_one.get(client, 0)
        if self._most is not None and self._count >= self._most:
            raise Crowded(
                f"{self._count} watchers are connected, and more may not be: try again later", CROWDED_S
            )
        if self._most_of_one is not None and of_one >= self._most_of_one:
            raise Crowded(
                f"{client} has {of_one} connections that watch, the most that one client may have:"
                " end some, or watch many logs on one connection of /api/live",
                CROWDED_S,
            )
        self._turns[_turn_of(connection)].add(connection)
        self._count += 1
        self._of_one[client] = of_one + 1
        self._empty.clear()
        if self.closed:
            connection.close()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._beat_s / TURNS, self._beat)

    def leave(self, connection: Connection) -> None:
        """Count it out; nothing when it is out already."""
        turn = self._turns[_turn_of(connection)]
        if connection not in turn:
            return
        turn.discard(connection)
        self._count -= 1
        left = self._of_one[connection.client] - 1
        if left:
            self._of_one[connection.client] = left
        else:
            del self._of_one[connection.client]
        if not self._count:
            self._empty.set()

    def end(self, tokens: Collection[int]) -> None:
        """End the connections of these tokens: nothing more is sent on them."""
        self._all(lambda connection: connection.close() if connection.client.token in tokens else None)

    async def close(self) -> None:
        """End every connection, those that cannot end in good order after a moment."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._all(lambda connection: connection.close())
        try:
            async with asyncio.timeout(CLOSE_GRACE_S):
                await self._empty.wait()
        except TimeoutError:
            self._all(lambda connection: connection.abandon())

    def _all(self, call: Callable[[Connection], None]) -> None:
        for turn in self._turns:
            for connection in tuple(turn):
                call(connection)

    def _beat(self) -> None:
        self._timer = None
        if self._count:
            self._timer = asyncio.get_running_loop().call_later(self._beat_s / TURNS, self._beat)
        self._turn = (self._turn + 1) % TURNS
        for connection in tuple(self._turns[self._turn]):
            connection.beat()


def _turn_of(connection: Connection) -> int:
    return (id(connection) >> 4) % TURNS


def retry_ms() -> int:
    """When a client should come back; spread, so that not all come at once."""
    return random.randint(500, 2500)  # noqa: S311


def crowded_ms() -> int:
    """The same for one who found no room."""
    return random.randint(CROWDED_S * 500, CROWDED_S * 1500)  # noqa: S311
