"""Projects and plans."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from tailrace.api.ending import end_runs
from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.domain.access import Caller, Role
from tailrace.domain.address import check_address, keep_password
from tailrace.domain.credentials import Credentials
from tailrace.domain.model import Project
from tailrace.domain.text import Text
from tailrace.live.bus import Bus
from tailrace.live.scopes import RUNS
from tailrace.store import Store
from tailrace.store.projects import (
    change_project,
    check_may_open,
    create_project,
    get_project,
    list_projects,
    remove_project,
    restore_project,
    set_webhook_secret,
)
from tailrace.store.runs import runs_under_way
from tailrace.store.sealing import SealingKey

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
Secret = Annotated[str, Field(min_length=8, max_length=1000)]


class ProjectWish(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Name
    repository: Annotated[str, Field(min_length=1, max_length=2000)]
    webhook_secret: Secret | None = None
    credentials: Credentials | None = None


class ProjectChange(BaseModel):
    """What is left out stays; `webhook_secret: null` takes the secret away, and with it the webhooks; `credentials: null` those.

    A `repository` as it is shown, its password as `***`, keeps the password.
    """

    model_config = ConfigDict(extra="forbid")
    name: Name | None = None
    repository: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    webhook_secret: Secret | None = None
    credentials: Credentials | None = None


def webhook_secret_row(project_id: int) -> str:
    """The row identity under which a project's webhook secret is sealed."""
    return f"project/{project_id}/webhook_secret"


def projects_router(store: Store, bus: Bus, key: SealingKey) -> APIRouter:
    """Routes for projects; secrets go in and never come out."""
    router = APIRouter(tags=["projects"])

    @router.get("/api/projects")
    async def show_all(
        name: Annotated[Text | None, Query(max_length=500, description="Only the one of this name.")] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
        removed: bool = False,
    ) -> Page[Project]:
        found = await store.read(list_projects, cursor or 0, limit + 1, removed=removed, name=name)
        return page(found, limit, [project.id for project in found])

    @router.post("/api/projects", status_code=201)
    async def create(wish: ProjectWish, request: Request) -> Project:
        if wish.webhook_secret is not None:
            check_secret(request)
        if wish.credentials is not None:
            check_may_open(request.state.caller)
        check_address(keep_password(wish.repository, ""))
        return await store.write(make, wish)

    @router.get("/api/projects/{id}")
    async def show(id: RowId) -> Project:
        return await store.read(get_project, id)

    @router.patch("/api/projects/{id}")
    async def change(id: RowId, wish: ProjectChange, request: Request) -> Project:
        if "webhook_secret" in wish.model_fields_set:
            check_secret(request)
        if wish.repository is not None:
            check_address(wish.repository)
        return await store.write(alter, id, wish, request.state.caller)

    @router.delete("/api/projects/{id}", status_code=204)
    async def remove(id: RowId, request: Request) -> None:
        """It can be restored. What it had under way ends: nothing of it begins any more."""
        await store.write(remove_project, id)
        bus.publish(RUNS)
        by = f"{request.state.name}, who removed the project"
        await end_runs(store, bus, await store.read(runs_under_way, id), by)

    @router.post("/api/projects/{id}/restore")
    async def restore(id: RowId) -> Project:
        """A removed project, with its plans, is back; 409 when it is not removed or its name is taken."""
        restored = await store.write(restore_project, id)
        bus.publish(RUNS)
        return restored

    def check_secret(request: Request) -> None:
        caller: Caller = request.state.caller
        caller.check(Role.ADMIN, "the webhook secret of a project")

    def make(connection: Connection, wish: ProjectWish) -> Project:
        project = create_project(connection, wish.name, wish.repository, wish.credentials)
        if wish.webhook_secret is None:
            return project
        keep_secret(connection, project.id, wish.webhook_secret)
        return get_project(connection, project.id)

    def alter(connection: Connection, id: int, wish: ProjectChange, caller: Caller) -> Project:
        project = change_project(
            connection,
            id,
            name=wish.name,
            repository=wish.repository,
            credentials=wish.credentials if "credentials" in wish.model_fields_set else "keep",
            caller=caller,
        )
        if "webhook_secret" not in wish.model_fields_set:
            return project
        keep_secret(connection, id, wish.webhook_secret)
        return get_project(connection, id)

    def keep_secret(connection: Connection, id: int, secret: str | None) -> None:
        sealed = None if secret is None else key.seal(secret, webhook_secret_row(id))
        set_webhook_secret(connection, id, sealed)

    return router
