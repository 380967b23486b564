"""Approvals: what waits for a person, and the decision."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.domain.approvals import ApprovalState, ApprovalView
from tailrace.domain.errors import Invalid
from tailrace.domain.text import Text
from tailrace.live.bus import Bus
from tailrace.live.scopes import QUEUE, agent_scope, wake_run
from tailrace.store import Store
from tailrace.store.approvals import ApprovalFilter, decide, get_approval, list_approvals


class Decision(BaseModel):
    """Whether what waits goes on; `why` is for those who read of it."""

    model_config = ConfigDict(extra="forbid")
    approve: bool
    why: Annotated[Text, Field(max_length=500)] | None = None


def approvals_router(store: Store, bus: Bus) -> APIRouter:
    """Routes for approvals."""
    router = APIRouter(tags=["approvals"])

    @router.get("/api/approvals")
    async def show_all(
        state: Annotated[str | None, Query()] = None,
        project: Annotated[RowId | None, Query()] = None,
        run: Annotated[RowId | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[ApprovalView]:
        wanted = ApprovalFilter(_state(state), project, run, cursor, limit + 1)
        found = await store.read(list_approvals, wanted)
        return page(found, limit, [one.id for one in found])

    @router.get("/api/approvals/{id}")
    async def show(id: RowId) -> ApprovalView:
        return await store.read(get_approval, id)

    @router.post("/api/approvals/{id}")
    async def say(id: RowId, wish: Decision, request: Request) -> ApprovalView:
        decided = await store.write(
            decide, id, approve=wish.approve, by=request.state.name, why=wish.why or None
        )
        for agent in decided.agents:
            bus.publish(agent_scope(agent))
        for run in (decided.run_id, *decided.superseded):
            wake_run(bus, run)
        bus.publish(QUEUE)
        return await store.read(get_approval, id)

    return router


def _state(word: str | None) -> ApprovalState | None:
    if word is None or word == "":
        return None
    try:
        return ApprovalState(word)
    except ValueError:
        raise Invalid(f"state: found {word!r}; allowed are {', '.join(ApprovalState)}") from None
