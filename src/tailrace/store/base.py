"""The contract of the store: a transaction is a plain function whose first argument is a connection.

    run = await store.write(create_run, plan, event)
    runs = await store.read(list_runs, filters)

No connection outlives its function, so none can be held open across an await.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")


def call(
    function: Callable[Concatenate[Connection, P], T],
    connection: Connection,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Call a transaction. StopIteration, which no future takes, becomes RuntimeError, as it does in a coroutine."""
    try:
        return function(connection, *args, **kwargs)
    except StopIteration as error:
        raise RuntimeError("a transaction raised StopIteration") from error


class Store(ABC):
    """Runs transactions in threads. Raises NoRoom for a write that fails because the database's disk is full.

    A write that returns is committed. A write that raises has changed nothing, and so has one whose commit fails.
    A cancelled call may still commit. Functions may be called more than once (a deadlock is tried again, and so is a
    unique name or number that another transaction was quicker to take), so they touch nothing but their connection.
    After `close` a call raises RuntimeError.
    """

    @abstractmethod
    async def write(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `function(connection, …)` in a transaction that may change rows; return what it returns."""

    @abstractmethod
    async def read(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `function(connection, …)` in a transaction that sees one state of the store and changes nothing."""

    @abstractmethod
    def read_now(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`read` for a worker thread, which waits; never to be called in an event loop or in a transaction."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was begun, then let go of every connection."""
