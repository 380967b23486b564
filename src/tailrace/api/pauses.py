"""Pauses of the queue: nothing is leased while people have a reason for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.lists import Page
from tailrace.api.numbers import RowId
from tailrace.domain.model import PauseView
from tailrace.domain.text import Text
from tailrace.live.bus import Bus
from tailrace.live.scopes import QUEUE as QUEUE_WAKE
from tailrace.store import Store
from tailrace.store.pauses import QUEUE, list_pauses, pause, resume
from tailrace.store.projects import get_project


class PauseWish(BaseModel):
    """`project` is an id; without one it is the whole queue."""

    model_config = ConfigDict(extra="forbid")
    project: RowId | None = None
    why: Annotated[Text, Field(max_length=500)] | None = None


def pauses_router(store: Store, bus: Bus) -> APIRouter:
    """Routes for pauses."""
    router = APIRouter(tags=["queue"])

    @router.get("/api/queue/pauses")
    async def show_all() -> Page[PauseView]:
        found = await store.read(list_pauses)
        return Page(
            items=[PauseView(scope=one.scope, by=one.by, why=one.why, at=one.at) for one in found], next=None
        )

    @router.post("/api/queue/pause", status_code=204)
    async def begin(request: Request, wish: PauseWish | None = None) -> None:
        """404 for a project that there is not."""
        wish = wish or PauseWish()
        if wish.project is not None:
            await store.read(get_project, wish.project)
        await store.write(pause, _scope(wish), request.state.name, wish.why)

    @router.post("/api/queue/resume", status_code=204)
    async def end(wish: PauseWish | None = None) -> None:
        await store.write(resume, _scope(wish or PauseWish()))
        bus.publish(QUEUE_WAKE)

    return router


def _scope(wish: PauseWish) -> str:
    return QUEUE if wish.project is None else f"project/{wish.project}"
