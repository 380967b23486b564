"""The store on PostgreSQL: a pool of threads, one transaction each, safe behind PgBouncer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError

from tailrace.domain.errors import NoRoom
from tailrace.store.base import Store, call

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 10
TRIES = 5
_AGAIN = (
    "40001",  # serialization failure
    "40P01",  # deadlock
    "23505",  # unique violation: another was quicker; the function looks again and says so in its own words
)
_DISK_FULL = "53100"


def postgres_engine(url: str, size: int = THREADS) -> Engine:
    """An engine for `postgresql://…`; prepared statements are off, PgBouncer gives each transaction another session."""
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=size,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"prepare_threshold": None},
    )


class PostgresStore(Store):
    """The store in a PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self._engine = postgres_engine(url)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")

    async def write(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def transaction() -> T:
            for left in reversed(range(TRIES)):
                try:
                    with self._engine.begin() as connection:
                        return call(function, connection, *args, **kwargs)
                except DBAPIError as error:
                    if getattr(error.orig, "sqlstate", None) == _DISK_FULL:
                        raise NoRoom from error
                    if left == 0 or getattr(error.orig, "sqlstate", None) not in _AGAIN:
                        raise
                # Two that fell over each other, and begin again at once, do so again.
                time.sleep(random.uniform(0, 0.1))  # noqa: S311
            raise AssertionError("the last try returns or raises")

        return await asyncio.get_running_loop().run_in_executor(self._threads, transaction)

    async def read(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await asyncio.wrap_future(self._submit(function, *args, **kwargs))

    def read_now(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return self._submit(function, *args, **kwargs).result()

    def _submit(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        def transaction() -> T:
            with self._engine.connect() as connection:
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
                with connection.begin():
                    return call(function, connection, *args, **kwargs)

        return self._threads.submit(transaction)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()
