"""Plans: kept here, or in the repository."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import Connection

from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.api.projects import Name
from tailrace.domain.model import PlanView
from tailrace.domain.plan import Plan, parse_plan
from tailrace.domain.text import Text
from tailrace.store import Store
from tailrace.store.plans import change_plan, create_plan, get_plan, list_plans, remove_plan, restore_plan
from tailrace.store.schedules import follow_schedule

File = Annotated[Text, Field(min_length=1, max_length=500, description="What faults call the definition.")]
Definition = Annotated[str, Field(max_length=1024 * 1024)]


class PlanWish(BaseModel):
    """Either `definition` (a plan file's text, kept here) or `path` (a plan file in the repository)."""

    model_config = ConfigDict(extra="forbid")
    project: RowId
    name: Name
    definition: Definition | None = None
    file: File = "definition"
    path: Annotated[str, Field(min_length=1, max_length=500)] | None = None

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str | None) -> str | None:
        if value is not None and (value.startswith("/") or ".." in value.split("/") or "\0" in value):
            raise ValueError("expected the path of a file in the repository, such as .tailrace.yml")
        return value


class PlanChange(BaseModel):
    """A new `definition` makes a new version."""

    model_config = ConfigDict(extra="forbid")
    name: Name | None = None
    definition: Definition | None = None
    file: File = "definition"


def plans_router(store: Store) -> APIRouter:
    """Routes for plans; a definition that is wrong is answered with every fault's line and column."""
    router = APIRouter(tags=["plans"])

    @router.get("/api/plans")
    async def show_all(
        project: Annotated[RowId | None, Query()] = None,
        name: Annotated[Text | None, Query(max_length=500, description="Only those of this name.")] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
        removed: bool = False,
    ) -> Page[PlanView]:
        found = await store.read(list_plans, project, cursor or 0, limit + 1, removed=removed, name=name)
        return page(found, limit, [plan.id for plan in found])

    @router.post("/api/plans", status_code=201)
    async def create(wish: PlanWish, request: Request) -> PlanView:
        plan = (
            None
            if wish.definition is None
            else await asyncio.to_thread(parse_plan, wish.definition, wish.file)
        )
        return await store.write(_create, wish, plan, request.state.name)

    @router.get("/api/plans/{id}")
    async def show(id: RowId) -> PlanView:
        return await store.read(get_plan, id)

    @router.put("/api/plans/{id}")
    async def change(id: RowId, wish: PlanChange, request: Request) -> PlanView:
        plan = (
            None
            if wish.definition is None
            else await asyncio.to_thread(parse_plan, wish.definition, wish.file)
        )
        return await store.write(_change, id, wish, plan, request.state.name)

    @router.delete("/api/plans/{id}", status_code=204)
    async def remove(id: RowId) -> None:
        await store.write(remove_plan, id)

    @router.post("/api/plans/{id}/restore")
    async def restore(id: RowId) -> PlanView:
        """A removed plan, with its triggers, is back; 409 when it is not removed or its name is taken."""
        return await store.write(restore_plan, id)

    return router


def _create(connection: Connection, wish: PlanWish, plan: Plan | None, author: str) -> PlanView:
    made = create_plan(
        connection, wish.project, wish.name, definition=wish.definition, path=wish.path, author=author
    )
    if plan is not None:
        follow_schedule(connection, made.id, plan.on)
    return made


def _change(connection: Connection, id: int, wish: PlanChange, plan: Plan | None, author: str) -> PlanView:
    changed = change_plan(connection, id, name=wish.name, definition=wish.definition, author=author)
    if plan is not None:
        follow_schedule(connection, id, plan.on)
    return changed
