"""The versions of a plan: who wrote them and when, how they differ; an earlier one put in force again."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from tailrace.api.lists import Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.domain.difference import unified
from tailrace.domain.errors import NotFound
from tailrace.domain.model import PlanVersionText, PlanVersionView, PlanView
from tailrace.domain.plan import Plan, parse_plan
from tailrace.store import Store
from tailrace.store.plan_versions import get_version, list_versions, number_before, restore_version
from tailrace.store.plans import get_plan
from tailrace.store.schedules import follow_schedule

MOST = 2**31 - 1
InPath = Annotated[int, Path(ge=0, le=MOST)]
Before = Annotated[int | None, Query(ge=0, le=MOST, description="`next` of the page before.")]
Number = Annotated[int, Query(ge=1, le=MOST, description="The number of a version.")]


class PlanDifference(BaseModel):
    """A unified diff from one version to another; empty where their texts are the same."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)
    before: int = Field(alias="from")
    after: int = Field(alias="to")
    diff: str


def plan_versions_router(store: Store) -> APIRouter:
    """Routes for versions of plans."""
    router = APIRouter(tags=["plans"])

    @router.get("/api/plans/{id}/versions")
    async def show_all(id: RowId, limit: Limit = 100, cursor: Before = None) -> Page[PlanVersionView]:
        """Newest first; the cursor is a version's number."""
        found = await store.read(list_versions, id, cursor, limit + 1)
        return page(found, limit, [version.number for version in found])

    @router.get("/api/plans/{id}/versions/{number}")
    async def show(id: RowId, number: InPath) -> PlanVersionText:
        return await store.read(get_version, id, number)

    @router.get("/api/plans/{id}/diff")
    async def difference(
        id: RowId,
        before: Annotated[Number | None, Query(alias="from")] = None,
        after: Annotated[Number | None, Query(alias="to")] = None,
    ) -> PlanDifference:
        """From the version before `to` unless `from` says another; `to` is the one in force unless it is given."""
        old, new = await store.read(_two_versions, id, before, after)
        names = (f"version {old.number}", f"version {new.number}")
        diff = await asyncio.to_thread(unified, old.definition, new.definition, *names)
        return PlanDifference.model_validate({"from": old.number, "to": new.number, "diff": diff})

    @router.post("/api/plans/{id}/versions/{number}/restore")
    async def restore(id: RowId, number: InPath, request: Request) -> PlanView:
        """The text of that version is in force again, as a new version."""
        definition = (await store.read(get_version, id, number)).definition
        plan = await asyncio.to_thread(parse_plan, definition, f"version {number}")
        return await store.write(_restore, id, number, plan, request.state.name)

    return router


def _restore(connection: Connection, id: int, number: int, plan: Plan, author: str) -> PlanView:
    restored = restore_version(connection, id, number, author)
    follow_schedule(connection, id, plan.on)
    return restored


def _two_versions(
    connection: Connection, id: int, before: int | None, after: int | None
) -> tuple[PlanVersionText, PlanVersionText]:
    number = after or get_plan(connection, id).version
    if number is None:
        raise NotFound("version of plan", id)
    new = get_version(connection, id, number)
    before = before or number_before(connection, id, number)
    if before is None:
        return new.model_copy(update={"number": 0, "definition": ""}), new
    return get_version(connection, id, before), new
