"""SQLite's writer: one commit for all who wait, and one answer for all when it fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, insert, select
from sqlalchemy.exc import OperationalError

from tailrace.domain.errors import NoRoom
from tailrace.store import sqlite
from tailrace.store.sqlite import SqliteStore, sqlite_engine
from tailrace.store.tables import server as servers
from tests.support.databases import migrated


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tailrace.db"
    migrated(path)
    return path


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    await opened.close()


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each COMMIT of each engine that is made from now on."""
    seen: list[str] = []
    make = sqlite.sqlite_engine

    def watched(path: Path) -> object:
        engine = make(path)

        @event.listens_for(engine, "before_cursor_execute")
        def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
            if statement == "COMMIT":
                seen.append(statement)

        return engine

    monkeypatch.setattr(sqlite, "sqlite_engine", watched)
    return seen


def add(connection: Connection, id: str, size: int = 1) -> None:
    connection.execute(insert(servers).values(id=id + "x" * (size - 1), seen_at=0))


def ids(connection: Connection) -> list[str]:
    return list(connection.execute(select(servers.c.id).order_by(servers.c.id)).scalars())


async def test_those_who_wait_together_share_a_commit(commits: list[str], path: Path) -> None:
    store = SqliteStore(path)
    begun, release = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        begun.set()
        assert release.wait(30)

    holding = asyncio.create_task(store.write(hold))
    await asyncio.to_thread(begun.wait)
    writes = [asyncio.create_task(store.write(add, f"{n}")) for n in range(sqlite.BATCH)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(holding, *writes)
    await store.close()
    assert len(commits) == 2


async def test_a_full_disk_fails_all_of_the_batch_with_its_cause_and_the_store_lives_on(path: Path) -> None:
    store = SqliteStore(path)

    def limit(connection: Connection, more: int) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + more}")

    def hold(connection: Connection) -> None:
        begun.set()
        assert release.wait(30)

    await store.write(limit, 0)
    begun, release = threading.Event(), threading.Event()
    holding = asyncio.create_task(store.write(hold))
    await asyncio.to_thread(begun.wait)
    writes = [
        asyncio.create_task(store.write(add, "small")),
        asyncio.create_task(store.write(add, "large", 200_000)),
        asyncio.create_task(store.write(add, "after")),
    ]
    await asyncio.sleep(0)
    release.set()
    await holding
    for answer in await asyncio.gather(*writes, return_exceptions=True):
        assert isinstance(answer, NoRoom)
        assert "full" in str(answer.__cause__)
    assert await store.read(ids) == []
    await store.write(limit, 1000)
    await store.write(add, "again")
    assert await store.read(ids) == ["again"]
    await store.close()


async def test_a_database_that_stays_locked_fails_the_writes_and_not_the_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    store = SqliteStore(path)
    engine = sqlite_engine(path)
    with engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        answers = await asyncio.gather(store.write(add, "a"), store.write(add, "b"), return_exceptions=True)
        assert all(isinstance(answer, OperationalError) and "locked" in str(answer) for answer in answers)
        other.exec_driver_sql("ROLLBACK")
    await store.write(add, "c")
    assert await store.read(ids) == ["c"]
    await store.close()
    engine.dispose()


async def test_the_database_is_durable_and_checks_references(store: SqliteStore) -> None:
    def pragmas(connection: Connection) -> dict[str, object]:
        return {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert await store.write(pragmas) == wanted
    assert await store.read(pragmas) == wanted


async def test_answers_of_a_loop_that_has_ended_do_not_stop_the_others(path: Path) -> None:
    store = SqliteStore(path)
    begun, release = threading.Event(), threading.Event()

    def hold(_connection: Connection) -> None:
        begun.set()
        assert release.wait(30)

    async def leave() -> None:
        asyncio.get_running_loop().create_task(store.write(hold))
        await asyncio.to_thread(begun.wait)

    await asyncio.to_thread(asyncio.run, leave())
    release.set()
    await asyncio.wait_for(store.write(add, "a"), timeout=30)
    assert await store.read(ids) == ["a"]
    await store.close()


async def test_the_writer_outlives_a_connection_that_is_beyond_use(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that not even a ROLLBACK survives is answered, and the next write has a connection of its own."""
    commit = sqlite._commit_together  # pyright: ignore[reportPrivateUsage]

    def broken(connection: Connection, batch: list[object]) -> list[object]:
        monkeypatch.setattr(sqlite, "_commit_together", commit)
        raise OSError("the disk is gone")

    monkeypatch.setattr(sqlite, "_commit_together", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        await store.write(add, "lost")
    await store.write(add, "kept")
    assert await store.read(lambda c: c.execute(select(servers.c.id)).scalars().all()) == ["kept"]
