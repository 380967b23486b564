"""Projects by the API: one request is one transaction."""

from __future__ import annotations

from pathlib import Path

import httpx2
from fastapi import Depends, FastAPI, Request
from sqlalchemy import Connection, text

from tailrace.api.problems import handle_problems
from tailrace.api.projects import projects_router
from tailrace.domain.access import Caller, Role
from tailrace.live.bus_memory import MemoryBus
from tailrace.store import open_store
from tailrace.store.projects import create_project, get_project
from tailrace.store.sealing import SealingKey
from tests.support.databases import migrated

NO_SECRETS = """
CREATE TRIGGER no_secrets BEFORE UPDATE OF webhook_secret ON project
BEGIN SELECT RAISE(ABORT, 'the disk broke'); END
"""


async def test_a_change_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    """The new name is not there without the new secret of webhooks."""
    store = await open_store(migrated(tmp_path / "tailrace.db"))
    made = await store.write(create_project, "shop", "/srv/shop")

    async def sign_in(request: Request) -> None:
        request.state.caller = Caller(1, "admin", Role.ADMIN)

    app = FastAPI()
    handle_problems(app)
    app.include_router(
        projects_router(store, MemoryBus(), SealingKey(bytes(32))), dependencies=[Depends(sign_in)]
    )

    def break_it(connection: Connection) -> None:
        connection.execute(text(NO_SECRETS))

    def mend_it(connection: Connection) -> None:
        connection.execute(text("DROP TRIGGER no_secrets"))

    await store.write(break_it)
    wish = {"name": "store", "webhook_secret": "a-secret-of-hooks"}
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
        assert (await client.patch(f"/api/projects/{made.id}", json=wish)).status_code == 500
        assert await store.read(get_project, made.id) == made
        await store.write(mend_it)
        changed = (await client.patch(f"/api/projects/{made.id}", json=wish)).json()
        assert (changed["name"], changed["has_webhook_secret"]) == ("store", True)
        kept = (await client.patch(f"/api/projects/{made.id}", json={"name": "shop"})).json()
        assert (kept["name"], kept["has_webhook_secret"]) == ("shop", True)
        gone = (await client.patch(f"/api/projects/{made.id}", json={"webhook_secret": None})).json()
        assert (gone["name"], gone["has_webhook_secret"]) == ("shop", False)
    await store.close()
