"""The contract of the store: what a transaction sees, and what an answer means."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

import pytest
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from tailrace.store import Store, open_store
from tailrace.store.migrate import migrate
from tailrace.store.tables import server as servers


def add(connection: Connection, id: str, seen_at: int = 0) -> str:
    connection.execute(insert(servers).values(id=id, seen_at=seen_at))
    return id


def add_and_fail(connection: Connection, id: str, error: Exception) -> NoReturn:
    add(connection, id)
    raise error


def increment(connection: Connection, id: str) -> int:
    """Reads, then writes what it made of it, as careful code would not."""
    seen = connection.execute(
        select(servers.c.seen_at).where(servers.c.id == id).with_for_update()
    ).scalar_one()
    connection.execute(update(servers).where(servers.c.id == id).values(seen_at=seen + 1))
    return seen + 1


def ids(connection: Connection) -> list[str]:
    return list(connection.execute(select(servers.c.id).order_by(servers.c.id)).scalars())


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(servers)).scalar_one()


def hold(connection: Connection, begun: threading.Event, release: threading.Event) -> None:
    begun.set()
    assert release.wait(30)


async def test_a_write_gives_what_its_function_returns_and_others_see_it(store: Store) -> None:
    assert await store.write(add, "a") == "a"
    assert await store.read(ids) == ["a"]


async def test_a_write_that_raises_changes_nothing_while_its_neighbours_commit(store: Store) -> None:
    begun, release = threading.Event(), threading.Event()
    holding = asyncio.create_task(store.write(hold, begun, release))
    await asyncio.to_thread(begun.wait)
    # These wait together behind the first on SQLite, and share a commit.
    writes = [
        asyncio.create_task(
            store.write(add_and_fail, f"bad-{n}", LookupError(f"no {n}"))
            if n % 3 == 0
            else store.write(add, f"good-{n}")
        )
        for n in range(12)
    ]
    await asyncio.sleep(0)
    release.set()
    await holding
    answers = await asyncio.gather(*writes, return_exceptions=True)
    for n, answer in enumerate(answers):
        if n % 3 == 0:
            assert isinstance(answer, LookupError)
            assert str(answer) == f"no {n}"
        else:
            assert answer == f"good-{n}"
    assert await store.read(ids) == sorted(f"good-{n}" for n in range(12) if n % 3)


async def test_a_statement_that_fails_undoes_its_own_write_alone(store: Store) -> None:
    await store.write(add, "a")

    def twice(connection: Connection) -> None:
        add(connection, "b")
        add(connection, "a")

    answers = await asyncio.gather(
        store.write(add, "c"), store.write(twice), store.write(add, "d"), return_exceptions=True
    )
    assert isinstance(answers[1], IntegrityError)
    assert await store.read(ids) == ["a", "c", "d"]


async def test_a_write_that_raises_stop_iteration_is_answered_and_so_are_its_neighbours(store: Store) -> None:
    answers = await asyncio.wait_for(
        asyncio.gather(
            store.write(add_and_fail, "a", StopIteration()), store.write(add, "b"), return_exceptions=True
        ),
        timeout=30,
    )
    assert isinstance(answers[0], RuntimeError)
    assert answers[1] == "b"

    def fail(_connection: Connection) -> NoReturn:
        raise StopIteration

    with pytest.raises(RuntimeError):
        await asyncio.wait_for(store.read(fail), timeout=30)


async def test_no_update_is_lost(store: Store) -> None:
    await store.write(add, "counter")
    values = await asyncio.gather(*(store.write(increment, "counter") for _ in range(200)))
    assert sorted(values) == list(range(1, 201))


async def test_a_read_sees_one_state(store: Store) -> None:
    """However much is committed while it reads."""
    await store.write(add, "a")
    begun, release = threading.Event(), threading.Event()

    def count_twice(connection: Connection) -> tuple[int, int]:
        first = count(connection)
        begun.set()
        assert release.wait(30)
        return first, count(connection)

    reading = asyncio.create_task(store.read(count_twice))
    await asyncio.to_thread(begun.wait)
    await store.write(add, "b")
    release.set()
    assert await reading == (1, 1)
    assert await store.read(count) == 2


async def test_a_read_changes_nothing(store: Store) -> None:
    with pytest.raises(DBAPIError):
        await store.read(add, "a")
    assert await store.read(ids) == []
    await store.write(add, "b")


async def test_a_read_that_raises_leaves_no_transaction_open(store: Store) -> None:
    def fail(connection: Connection) -> NoReturn:
        count(connection)
        raise LookupError

    for _ in range(12):  # more than there are readers
        with pytest.raises(LookupError):
            await store.read(fail)
    await store.write(add, "a")
    assert await asyncio.gather(*(store.read(count) for _ in range(12))) == [1] * 12


async def test_a_cancelled_caller_disturbs_nobody(store: Store) -> None:
    begun, release = threading.Event(), threading.Event()
    holding = asyncio.create_task(store.write(hold, begun, release))
    await asyncio.to_thread(begun.wait)
    cancelled = [asyncio.create_task(store.write(add, f"cancelled-{n}")) for n in range(3)]
    kept = asyncio.create_task(store.write(add, "kept"))
    await asyncio.sleep(0)
    for task in cancelled:
        task.cancel()
    holding.cancel()
    release.set()
    assert await kept == "kept"
    assert "kept" in await store.read(ids)


async def test_closing_finishes_what_was_begun_and_then_refuses(database_url: str) -> None:
    store = await open_store(database_url)
    writes = [asyncio.create_task(store.write(add, f"{n:03}")) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*writes) == [f"{n:03}" for n in range(50)]
    for refused in (store.write(add, "late"), store.read(ids)):
        with pytest.raises(RuntimeError):
            await asyncio.wait_for(refused, timeout=30)
    again = await open_store(database_url)
    assert await again.read(count) == 50
    await again.close()


async def test_closing_twice_is_allowed(database_url: str) -> None:
    store = await open_store(database_url)
    await store.close()
    await asyncio.wait_for(store.close(), timeout=30)


CRASHING = """
import asyncio, sys
from sqlalchemy import insert
from tailrace.store import open_store
from tailrace.store.tables import server

def add(connection, id):
    connection.execute(insert(server).values(id=id, seen_at=0))
    return id

async def write_forever(store, worker):
    n = 0
    while True:
        n += 1
        print(await store.write(add, f"{worker}-{n}"), flush=True)

async def main():
    store = await open_store(sys.argv[1])
    await asyncio.gather(*(write_forever(store, worker) for worker in range(8)))

asyncio.run(main())
"""


async def test_nobody_is_answered_before_the_commit(database_url: str) -> None:
    """A process is killed while it writes: each answer that it had got is there afterwards."""
    await asyncio.to_thread(migrate, database_url)
    process = subprocess.Popen(
        [sys.executable, "-c", CRASHING, database_url],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    answered = [process.stdout.readline() for _ in range(100)]
    process.send_signal(signal.SIGKILL)
    answered += process.stdout.read().splitlines(keepends=True)
    process.wait()
    whole = {line.decode().strip() for line in answered if line.endswith(b"\n")}
    assert len(whole) >= 100
    store = await open_store(database_url)
    assert whole <= set(await store.read(ids))
    await store.close()


async def test_two_stores_on_one_database_lose_no_update(database_url: str) -> None:
    stores = [await open_store(database_url) for _ in range(2)]
    await stores[0].write(add, "counter")
    await asyncio.gather(*(stores[n % 2].write(increment, "counter") for n in range(100)))
    assert await stores[0].write(increment, "counter") == 101
    for store in stores:
        await store.close()


async def test_a_name_that_another_took_meanwhile_is_looked_at_again(store: Store) -> None:
    """Both look, find nothing, and add: the second is run again and finds what the first added."""
    both = threading.Barrier(2)
    runs: list[str] = []

    def add_once(connection: Connection, who: str) -> str:
        runs.append(who)
        found = connection.execute(select(servers.c.id).where(servers.c.id == "same")).scalar()
        if found:
            return f"{who} found it"
        if store_runs_writes_at_once and len(runs) <= 2:
            both.wait(30)
        add(connection, "same")
        return f"{who} made it"

    store_runs_writes_at_once = type(store).__name__ == "PostgresStore"
    answers = await asyncio.gather(store.write(add_once, "A"), store.write(add_once, "B"))
    assert sorted(answer[1:] for answer in answers) == [" found it", " made it"]


async def test_a_deadlock_is_tried_again(store: Store) -> None:
    await store.write(add, "a")
    await store.write(add, "b")
    barrier = threading.Barrier(2)
    waits = type(store).__name__ == "PostgresStore"
    tries: list[Callable[..., int]] = []

    def both(connection: Connection, first: str, second: str) -> None:
        tries.append(increment)
        increment(connection, first)
        if waits and len(tries) <= 2:
            barrier.wait(30)
        increment(connection, second)

    await asyncio.gather(store.write(both, "a", "b"), store.write(both, "b", "a"))
    assert await store.write(increment, "a") == 3
    assert await store.write(increment, "b") == 3
    assert not waits or len(tries) > 2, "there was no deadlock"
