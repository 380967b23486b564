"""The store on SQLite: one writer thread that commits many transactions at once, a few reader threads.

SQLite has one writer at a time anyway; a queue in front of it makes waiting fair and lets one fsync serve all who wait.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tailrace.domain.errors import NoRoom
from tailrace.store.base import Store, call

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
BATCH = 128
BUSY_TIMEOUT_MS = 10_000
_DISK_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE")
"""The latter two from a disk that had no room for the log or its index."""


def sqlite_engine(path: Path) -> Engine:
    """An engine whose connections leave every BEGIN and COMMIT to us.

    The driver's own transactions lose updates: they begin at the first write, after the reads it depends on.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),  # a path may hold ? and %
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "cache_size = -16000",
            "temp_store = MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


@dataclass(frozen=True)
class _Wish:
    function: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class SqliteStore(Store):
    """The store in one SQLite file (WAL)."""

    def __init__(self, path: Path) -> None:
        self._engine = sqlite_engine(path)
        self._wishes: queue.SimpleQueue[_Wish | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._local = threading.local()
        self._reading: list[Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._writer = threading.Thread(target=self._write_forever, name="store-write", daemon=True)
        self._writer.start()

    async def write(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._closing:  # what is queued behind the end would never be answered
            if self._closed:
                raise RuntimeError("the store is closed")
            self._wishes.put(
                _Wish(lambda connection: call(function, connection, *args, **kwargs), loop, future)
            )
        return await future

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
            connection = self._reading_connection()
            connection.exec_driver_sql("BEGIN")
            try:
                return call(function, connection, *args, **kwargs)
            finally:
                connection.exec_driver_sql("ROLLBACK")

        return self._readers.submit(transaction)

    async def close(self) -> None:
        with self._closing:
            self._closed = True
            self._wishes.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reading:
            connection.close()
        self._engine.dispose()

    def _reading_connection(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._engine.connect()
            connection.exec_driver_sql("PRAGMA query_only = ON")
            self._reading.append(connection)
        return connection

    def _write_forever(self) -> None:
        connection: Connection | None = None
        going = True
        while going:
            wishes = [self._wishes.get()]
            while len(wishes) < BATCH and not self._wishes.empty():
                wishes.append(self._wishes.get())
            batch = [wish for wish in wishes if wish is not None]
            going = len(batch) == len(wishes)
            if not batch:
                continue
            answers: list[tuple[Any, BaseException | None]]
            try:
                connection = connection or self._engine.connect()
                answers = _commit_together(connection, batch)
            except Exception as error:  # the connection is beyond use: whoever comes next gets another
                answers = [(None, error)] * len(batch)
                if connection is not None:
                    connection.invalidate()
                    connection = None
            _answer(batch, [(result, _named(error)) for result, error in answers])
        if connection is not None:
            connection.close()


def _commit_together(connection: Connection, batch: list[_Wish]) -> list[tuple[Any, BaseException | None]]:
    """One commit for all, a savepoint for each: a failure undoes only itself."""
    answers: list[tuple[Any, BaseException | None]] = []
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for wish in batch:
            connection.exec_driver_sql("SAVEPOINT wish")
            try:
                answers.append((wish.function(connection), None))
            except Exception as error:
                if not _in_transaction(connection):
                    raise  # a full disk has undone the whole transaction, and no savepoint is left
                answers.append((None, error))
                connection.exec_driver_sql("ROLLBACK TO wish")
            connection.exec_driver_sql("RELEASE wish")
        connection.exec_driver_sql("COMMIT")
    except Exception as error:
        # A full disk or a locked database fails the whole batch: nobody may be told that it was kept.
        answers = [(None, error)] * len(batch)
        if _in_transaction(connection):
            connection.exec_driver_sql("ROLLBACK")
    return answers


def _named(error: BaseException | None) -> BaseException | None:
    """A full disk by its name."""
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlite_errorname", "") in _DISK_FULL:
        named = NoRoom()
        named.__cause__ = error
        return named
    return error


def _in_transaction(connection: Connection) -> bool:
    driver: Any = connection.connection.dbapi_connection
    return driver.in_transaction


def _answer(batch: list[_Wish], answers: list[tuple[Any, BaseException | None]]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any, BaseException | None]]] = {}
    for wish, (result, error) in zip(batch, answers, strict=True):
        by_loop.setdefault(wish.loop, []).append((wish.future, result, error))
    for loop, settled in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, settled)
        except RuntimeError:
            continue  # the loop is closed: nobody waits for these answers any more


def _settle(settled: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    for future, result, error in settled:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
