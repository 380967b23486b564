"""Protected labels: which projects' runs may use them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.labels import Label
from tailrace.api.lists import Page
from tailrace.api.numbers import RowId
from tailrace.domain.errors import NotFound
from tailrace.domain.model import ProtectedLabelView
from tailrace.domain.text import Text
from tailrace.live.bus import Bus
from tailrace.live.scopes import QUEUE
from tailrace.store import Store
from tailrace.store.protected import list_protected, protect_label, unprotect_label


class ProtectWish(BaseModel):
    """`projects` are the ids of all that may use it; none may when it is empty."""

    model_config = ConfigDict(extra="forbid")
    projects: Annotated[tuple[RowId, ...], Field(max_length=10_000)]
    why: Annotated[Text, Field(max_length=500)] | None = None


def protected_router(store: Store, bus: Bus) -> APIRouter:
    """Routes for protected labels."""
    router = APIRouter(tags=["agents"])

    @router.get("/api/protected-labels")
    async def show_all() -> Page[ProtectedLabelView]:
        return Page(items=await store.read(list_protected), next=None)

    @router.put("/api/protected-labels/{label:path}")
    async def protect(label: Label, wish: ProtectWish, request: Request) -> ProtectedLabelView:
        await store.write(protect_label, label, wish.projects, request.state.name, wish.why)
        bus.publish(QUEUE)
        for shown in await store.read(list_protected):
            if shown.name == label:
                return shown
        raise NotFound("protected label", label)  # somebody removed it meanwhile

    @router.delete("/api/protected-labels/{label:path}", status_code=204)
    async def unprotect(label: Label) -> None:
        await store.write(unprotect_label, label)
        bus.publish(QUEUE)

    return router
