"""Every test of the store runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, Engine

from tailrace.store import Store, open_store
from tailrace.store.open import sqlite_path
from tailrace.store.postgres import PostgresStore, postgres_engine
from tailrace.store.sqlite import sqlite_engine
from tests.support.databases import migrated, migrated_in

T = TypeVar("T")
U = TypeVar("U")

KINDS = ["sqlite", "postgresql"]


def engine_of(url: str) -> Engine:
    """An engine like the store's own."""
    return sqlite_engine(sqlite_path(url)) if url.startswith("sqlite") else postgres_engine(url)


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tailrace.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with all tables, and no rows in them."""
    if request.param == "sqlite":
        yield migrated(tmp_path / "tailrace.db")
    else:
        with migrated_in(request.getfixturevalue("postgres")) as url:
            yield url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store of its own for one test."""
    opened = await open_store(database_url)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def engines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Engine]]:
    """Fills itself with a migrated database of each kind, when it is first wanted."""
    with ExitStack() as ends:

        class Lazy(dict[str, Engine]):
            def __missing__(self, kind: str) -> Engine:
                if kind == "sqlite":
                    url = migrated(tmp_path_factory.mktemp("sqlite") / "tailrace.db")
                else:
                    url = ends.enter_context(migrated_in(request.getfixturevalue("postgres")))
                self[kind] = engine_of(url)
                ends.callback(self[kind].dispose)
                return self[kind]

        yield Lazy()


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, engines: dict[str, Engine]) -> Engine:
    """A migrated database that many tests share: each undoes what it did."""
    return engines[request.param]


@contextmanager
def undone(engine: Engine) -> Generator[Connection]:
    """A transaction that is rolled back at the end."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        finally:
            connection.exec_driver_sql(
                "ROLLBACK"
            ) if engine.dialect.name == "sqlite" else connection.rollback()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction on tables that hold no rows; it is rolled back at the end of the test."""
    with undone(engine) as open_transaction:
        yield open_transaction


@contextmanager
def attempt_at(connection: Connection) -> Generator[None]:
    """A part of a transaction that may fail without the rest of it."""
    connection.exec_driver_sql("SAVEPOINT part")
    try:
        yield
    except Exception:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT part")
        raise


async def overlapping(
    store: Store, first: Callable[[Connection], T], second: Callable[[Connection], U]
) -> tuple[T, U]:
    """Two writes, of which the first commits when the second waits for it (or, on SQLite, waits for its turn)."""
    done, release = threading.Event(), threading.Event()

    def hold(connection: Connection) -> T:
        answer = first(connection)
        done.set()
        assert release.wait(30)
        return answer

    held = asyncio.create_task(store.write(hold))
    await asyncio.to_thread(done.wait)
    waiting = asyncio.create_task(store.write(second))
    try:
        while isinstance(store, PostgresStore) and not await store.read(_locks_waited_for):
            assert not waiting.done(), "the second did not wait for the first: nothing overlapped"
            await asyncio.sleep(0.005)
    finally:
        release.set()
    return await held, await waiting


def _locks_waited_for(connection: Connection) -> int:
    return connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one()
