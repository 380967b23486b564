"""The inbox of webhooks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.domain.model import RefusalView
from tailrace.domain.triggers import DeliveryView
from tailrace.store import Store
from tailrace.store.deliveries import list_deliveries, list_refusals


def deliveries_router(store: Store) -> APIRouter:
    """Routes for deliveries."""
    router = APIRouter(tags=["deliveries"])

    @router.get("/api/deliveries")
    async def show_all(
        project: Annotated[RowId | None, Query()] = None, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[DeliveryView]:
        found = await store.read(list_deliveries, project, cursor, limit + 1)
        return page(found, limit, [delivery.id for delivery in found])

    @router.get("/api/refusals")
    async def show_refusals() -> Page[RefusalView]:
        """The last hundred webhooks that were refused, and why."""
        return Page(items=await store.read(list_refusals), next=None)

    return router
