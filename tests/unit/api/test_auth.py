"""The gate: who calls is who may call when the body has come, too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tailrace.api.auth import Gate, hash_of
from tailrace.api.problems import handle_problems
from tailrace.api.sessions import sessions_router
from tailrace.api.tokens import tokens_router
from tailrace.api.tokens_used import TokensUsed
from tailrace.domain.access import Role
from tailrace.live.bus_memory import MemoryBus
from tailrace.store import Store, open_store
from tailrace.store.identity import create_token, end_session, known_names, remove_token, set_token
from tests.support.databases import migrated

WISH = json.dumps({"name": "later", "role": "admin"}).encode()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(migrated(tmp_path / "tailrace.db"))
    await opened.write(set_token, "admin", hash_of("own"))
    yield opened
    await opened.close()


def gate(store: Store, *, ask_again_s: float = 0, body_within_s: float = 60) -> Gate:
    app = FastAPI()
    handle_problems(app)
    app.include_router(tokens_router(store, MemoryBus()))
    app.include_router(sessions_router(store, "http://here"))
    return Gate(app, store, TokensUsed(store), ask_again_s=ask_again_s, body_within_s=body_within_s)


class Call:
    """A request whose body is held back after its first half until it `goes_on`."""

    def __init__(self, path: str, body: bytes, **headers: str) -> None:
        self._pieces = [body[:10], body[10:]]
        self.held, self.goes_on = asyncio.Event(), asyncio.Event()
        said = {"host": "here", "content-type": "application/json", **headers}
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in said.items()],
        }
        self.status, self.answer = 0, b""

    async def receive(self) -> MutableMapping[str, Any]:
        if len(self._pieces) == 1:
            self.held.set()
            await self.goes_on.wait()
        piece = self._pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.answer += message.get("body", b"")

    async def to(self, gate: Gate) -> Any:
        await gate(self.scope, self.receive, self.send)
        return json.loads(self.answer)


async def add(store: Store, name: str, value: str, role: Role = Role.ADMIN) -> int:
    made = await store.write(create_token, name, role, hash_of(value), author="admin", life_ms=None)
    return made.id


async def test_who_was_removed_while_the_body_came_does_nothing(store: Store) -> None:
    """The call is refused before it is done."""
    ada = await add(store, "ada", "hers")
    call = Call("/api/tokens", WISH, authorization="Bearer hers")
    calling = asyncio.create_task(call.to(gate(store)))
    await call.held.wait()
    await store.write(remove_token, ada)
    call.goes_on.set()
    told = (await calling)["detail"]
    assert (call.status, "was removed or has expired" in told) == (401, True)
    assert await store.read(known_names) == {"admin"}


async def test_a_session_that_was_ended_while_the_body_came_does_nothing(store: Store) -> None:
    signing = Call("/api/sessions", json.dumps({"token": "own"}).encode())
    signing.goes_on.set()
    heads: list[MutableMapping[str, Any]] = []

    async def keep(message: MutableMapping[str, Any]) -> None:
        heads.append(message)

    await gate(store)(signing.scope, signing.receive, keep)
    cookie = dict(heads[0]["headers"])[b"set-cookie"].decode().partition(";")[0]
    call = Call("/api/tokens", WISH, cookie=cookie, origin="http://here")
    calling = asyncio.create_task(call.to(gate(store)))
    await call.held.wait()
    await store.write(end_session, hash_of(cookie.partition("=")[2]))
    call.goes_on.set()
    await calling
    assert call.status == 401
    assert await store.read(known_names) == {"admin"}


async def test_a_body_that_comes_slowly_is_taken_from_who_still_may(store: Store) -> None:
    call = Call("/api/tokens", WISH, authorization="Bearer own")
    call.goes_on.set()
    made = await call.to(gate(store))
    assert (call.status, made["name"]) == (201, "later")


async def test_a_body_that_does_not_end_is_not_waited_for(store: Store) -> None:
    call = Call("/api/tokens", WISH, authorization="Bearer own")
    told = (await call.to(gate(store, body_within_s=0.05)))["detail"]
    assert (call.status, told) == (408, "the body did not come within 0.05 s: nothing was done")
    assert await store.read(known_names) == {"admin"}


@pytest.mark.parametrize("wish", [{}, {"name": "ada"}])
async def test_a_sign_in_link_is_that_of_the_token_and_not_of_its_name(
    store: Store, wish: dict[str, str]
) -> None:
    """Who was removed while the body came gets none as the one who has the name by then, however soon that is."""
    ada = await add(store, "ada", "hers", Role.READER)
    body = json.dumps({**wish, "next": "/runs"}).encode()
    call = Call("/api/login-codes", body, authorization="Bearer hers")
    calling = asyncio.create_task(call.to(gate(store, ask_again_s=60)))
    await call.held.wait()
    await store.write(remove_token, ada)
    await add(store, "ada", "another")
    call.goes_on.set()
    told = (await calling)["detail"]
    assert (call.status, told) == (404, f"there is no token {ada}")
