"""Replays of many when the database goes away amid them: what was done is known, and where to go on."""

from __future__ import annotations

import zlib
from pathlib import Path

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy.exc import OperationalError
from starlette.types import Receive, Scope, Send

from tailrace.api.deliveries import deliveries_router
from tailrace.api.replays import Replays
from tailrace.live.bus_memory import MemoryBus
from tailrace.sources.base import Source
from tailrace.sources.registry import Sources
from tailrace.store import Store, open_store
from tailrace.store.deliveries import NewDelivery, add_delivery
from tailrace.triggers.replay import Replayed
from tests.unit.store.world import a_project


async def _find(name: str, project: int) -> Source:
    return Sources().source(name, None)


class Away(Replays):
    """A named stand-in: the database is away when `at` is to be replayed."""

    def __init__(self, store: Store, folder: Path, at: int) -> None:
        super().__init__(store, MemoryBus(), _find, folder)
        self.at = at

    async def replay(self, id: int, by: str) -> Replayed:
        if id == self.at:
            raise OperationalError("SELECT", {}, ConnectionError("the server has gone"))
        return await super().replay(id, by)


async def test_it_stops_and_says_with_what_to_go_on(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'tailrace.db'}")
    project = await store.write(a_project)
    ids: list[int] = []
    for number in range(4):
        new = NewDelivery(
            project, "github", str(number), "ping", {}, zlib.compress(b"{}"), None, "ignored", None
        )
        ids.append(await store.write(add_delivery, new))
    replays = Away(store, tmp_path, ids[2])
    app = FastAPI()
    app.include_router(deliveries_router(store, replays))

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"name": "kim"}}, receive, send)

    async with AsyncClient(transport=ASGITransport(named), base_url="http://t") as client:
        wish = {"project": project}
        done = (await client.post("/api/deliveries/replay", json=wish)).json()
        assert [one["delivery"] for one in done["replayed"]] == ids[:2]
        assert (done["next"], done["failed"]) == (ids[1], [])
        assert (
            done["stopped"]
            == f"the database does not answer: delivery {ids[2]} and those after it were not tried"
        )
        replays.at = 0
        rest = (await client.post("/api/deliveries/replay", json=wish | {"after": done["next"]})).json()
        assert ([one["delivery"] for one in rest["replayed"]], rest["next"], rest["stopped"]) == (
            ids[2:],
            None,
            None,
        )
    await store.close()
