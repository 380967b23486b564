"""How a project's generic webhooks are read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.numbers import RowId
from tailrace.domain.events import Event
from tailrace.domain.hooks import GenericHook
from tailrace.sources.base import Ignored
from tailrace.sources.generic import Generic
from tailrace.store import Store
from tailrace.store.projects import get_hook, set_hook

Sample = Annotated[str, Field(max_length=1024 * 1024)]


class HookTry(BaseModel):
    """A body as its sender would post it; `hook` None is the one that the project has."""

    model_config = ConfigDict(extra="forbid")
    body: Sample
    content_type: Annotated[str, Field(max_length=200)] = "application/json"
    hook: GenericHook | None = None


class HookTried(BaseModel):
    """What would be made of it: an event, or why it starts nothing."""

    event: Event | None
    ignored: str | None


def hooks_router(store: Store) -> APIRouter:
    """Routes for the hook of a project."""
    router = APIRouter(tags=["webhooks"])

    @router.get("/api/projects/{id}/hook")
    async def show(id: RowId) -> GenericHook:
        return await store.read(get_hook, id) or GenericHook()

    @router.put("/api/projects/{id}/hook")
    async def keep(id: RowId, hook: Annotated[GenericHook, Body()]) -> GenericHook:
        await store.write(set_hook, id, hook)
        return hook

    @router.delete("/api/projects/{id}/hook", status_code=204)
    async def forget(id: RowId) -> None:
        await store.write(set_hook, id, None)

    @router.post("/api/projects/{id}/hook/try")
    async def attempt(id: RowId, wish: HookTry) -> HookTried:
        hook = wish.hook or await store.read(get_hook, id) or GenericHook()
        found = Generic(hook).read({"content-type": wish.content_type}, wish.body.encode(errors="replace"))
        if isinstance(found, Ignored):
            return HookTried(event=None, ignored=found.why)
        return HookTried(event=found, ignored=None)

    return router
