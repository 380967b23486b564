"""Environments: what jobs that deploy have to wait for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.lists import Page
from tailrace.api.numbers import RowId
from tailrace.domain.access import Role
from tailrace.domain.approvals import EnvironmentView
from tailrace.domain.errors import Invalid
from tailrace.domain.plan.environment import ENVIRONMENT
from tailrace.domain.text import Text
from tailrace.store import Store
from tailrace.store.environments import (
    Terms,
    change_environment,
    create_environment,
    get_environment,
    list_environments,
    remove_environment,
)
from tailrace.store.identity import known_names

Names = Annotated[tuple[Annotated[Text, Field(min_length=1, max_length=200)], ...], Field(max_length=100)]


class EnvironmentTerms(BaseModel):
    """`approvers` and `branches` null: anybody, all; `branches` are patterns such as release/* or refs/tags/v*."""

    model_config = ConfigDict(extra="forbid")
    approval: bool = True
    approvers: Names | None = None
    branches: Names | None = None

    @property
    def terms(self) -> Terms:
        return Terms(self.approval, self.approvers, self.branches)


class EnvironmentWish(EnvironmentTerms):
    """A new environment of a project (its id)."""

    project: RowId
    name: Annotated[str, Field(pattern=f"^{ENVIRONMENT.pattern}$")]


def environments_router(store: Store) -> APIRouter:
    """Routes for environments."""
    router = APIRouter(tags=["approvals"])

    @router.get("/api/environments")
    async def show_all(project: Annotated[RowId | None, Query()] = None) -> Page[EnvironmentView]:
        return Page(items=await store.read(list_environments, project), next=None)

    @router.post("/api/environments", status_code=201)
    async def create(wish: EnvironmentWish, request: Request) -> EnvironmentView:
        await check(wish)
        return await store.write(create_environment, wish.project, wish.name, wish.terms, request.state.name)

    @router.get("/api/environments/{id}")
    async def show(id: RowId) -> EnvironmentView:
        return await store.read(get_environment, id)

    @router.put("/api/environments/{id}")
    async def change(id: RowId, wish: EnvironmentTerms, request: Request) -> EnvironmentView:
        await check(wish)
        return await store.write(change_environment, id, wish.terms, request.state.name)

    @router.delete("/api/environments/{id}", status_code=204)
    async def remove(id: RowId) -> None:
        await store.write(remove_environment, id)

    async def check(wish: EnvironmentTerms) -> None:
        """Raises Invalid for approvers by whom nobody could decide."""
        if wish.approvers is None:
            return
        if not wish.approval:
            raise Invalid("approvers: with approval: false nobody is asked: leave them out")
        known = await store.read(known_names, Role.MEMBER)
        unknown = [name for name in wish.approvers if name not in known]
        if unknown or not wish.approvers:
            found = ", ".join(map(repr, unknown)) or "nobody"
            raise Invalid(
                f"approvers: found {found}; allowed are {', '.join(sorted(known))},"
                " the tokens here that are admin or member, or null: any of these"
            )
        if len(set(wish.approvers)) < len(wish.approvers):
            raise Invalid("approvers: each name once")

    return router
