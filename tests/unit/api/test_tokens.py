"""What the server knows of tokens beside its requests: when they were used, and whose watches have to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tailrace.api.tokens_gone import TokensGone
from tailrace.api.tokens_used import TokensUsed
from tailrace.domain.access import Role
from tailrace.live.bus_memory import MemoryBus
from tailrace.live.connections import Client, Connections
from tailrace.live.scopes import TOKENS
from tailrace.store import Store, open_store
from tailrace.store.identity import create_token, list_tokens, remove_token
from tests.support.databases import migrated
from tests.support.live_house import until

BY_THE_WAKE_ALONE_S = 3600.0


class Watch:
    def __init__(self, token: int) -> None:
        self.client = Client(token, "ada", "10.0.0.1")
        self.closed = False

    def beat(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def abandon(self) -> None: ...


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(migrated(tmp_path / "tailrace.db"))
    yield opened
    await opened.close()


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus()
    await bus.start()
    yield bus
    await bus.close()


@asynccontextmanager
async def running(part: TokensGone | TokensUsed) -> AsyncGenerator[None]:
    task = asyncio.create_task(part.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def make(store: Store, name: str) -> int:
    made = await store.write(create_token, name, Role.READER, name, author="admin", life_ms=None)
    return made.id


async def used(store: Store) -> dict[str, int | None]:
    return {token.name: token.used_at for token in await store.read(list_tokens, 0, 100)}


async def test_watches_end_by_the_wake_of_a_removal(store: Store, bus: MemoryBus) -> None:
    """At once, and only those of the token that went."""
    ada, bob = Watch(await make(store, "ada")), Watch(await make(store, "bob"))
    connections = Connections()
    for one in (ada, bob):
        connections.join(one)
    async with running(TokensGone(store, bus, connections, BY_THE_WAKE_ALONE_S)):
        await store.write(remove_token, ada.client.token)
        bus.publish(TOKENS)
        await until(lambda: ada.closed, "the watch to be ended")
    assert not bob.closed


async def test_a_lost_wake_costs_a_moment(store: Store, bus: MemoryBus) -> None:
    """It is looked every so often, also after the database was away: another server may have removed it."""
    watch = Watch(await make(store, "ada"))
    connections = Connections()
    connections.join(watch)
    away = Flaky(store)
    async with running(TokensGone(away, bus, connections, 0.01)):
        await until(lambda: away.failed >= 2, "the database to be missed")
        away.answers = True
        await store.write(remove_token, watch.client.token)
        await until(lambda: watch.closed, "the watch to be ended")


async def test_nobody_is_asked_after_where_nobody_watches(store: Store, bus: MemoryBus) -> None:
    away = Flaky(store)
    await TokensGone(away, bus, Connections()).look()
    assert away.failed == 0


async def test_a_use_is_written_once_however_often_it_is_noted(store: Store) -> None:
    """Beside the requests: noting waits for nothing, and the next minute's use is another one."""
    ada, _ = await make(store, "ada"), await make(store, "bob")
    tokens = TokensUsed(store, 0)
    async with running(tokens):
        tokens.note(ada)
        await until_used(store, "ada")
        first = await used(store)
        assert first["bob"] is None
        for _ in range(3):
            tokens.note(ada)
        await make(store, "carol")
        carol = (await store.read(list_tokens, 0, 100))[-1].id
        tokens.note(carol)
        await until_used(store, "carol")
        assert (await used(store))["ada"] == first["ada"]


async def test_what_could_not_be_written_is_written_at_the_next_use(store: Store) -> None:
    ada = await make(store, "ada")
    away = Flaky(store)
    tokens = TokensUsed(away, 0)
    async with running(tokens):
        tokens.note(ada)
        await until(lambda: away.failed == 1, "the database to be missed")
        away.answers = True
        tokens.note(ada)
        await until_used(store, "ada")


async def until_used(store: Store, name: str) -> None:
    async with asyncio.timeout(30):
        while (await used(store))[name] is None:
            await asyncio.sleep(0.005)


class Flaky(Store):
    """A real store whose database is away until it `answers`; only what is asked here can be asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.answers = False
        self.failed = 0

    async def write(self, function, /, *args, **kwargs):  # pyright: ignore
        self._check()
        return await self._store.write(function, *args, **kwargs)  # pyright: ignore

    async def read(self, function, /, *args, **kwargs):  # pyright: ignore
        self._check()
        return await self._store.read(function, *args, **kwargs)  # pyright: ignore

    def read_now(self, function, /, *args, **kwargs):  # pyright: ignore
        raise NotImplementedError

    async def close(self) -> None: ...

    def _check(self) -> None:
        if not self.answers:
            self.failed += 1
            raise ConnectionError("the database is away")
