"""Secrets: values go in and never come out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.domain.model import SecretView
from tailrace.domain.secrets import MAX_VALUE_BYTES, NAME_RULE, check_value, is_name, warnings_of
from tailrace.store import Store
from tailrace.store.sealing import SealingKey
from tailrace.store.secrets import list_secrets, remove_secret, secret_row, set_secret


class SecretWish(BaseModel):
    """`project` null or left out: for all projects. A job's own project wins over what is for all."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    name: str
    value: Annotated[str, Field(max_length=MAX_VALUE_BYTES, repr=False)]
    project: RowId | None = None

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not is_name(name):
            raise ValueError(f"a secret's name becomes a variable of the job: {NAME_RULE}")
        return name


def secrets_router(store: Store, key: SealingKey) -> APIRouter:
    """Routes for secrets."""
    router = APIRouter(tags=["secrets"])

    @router.get("/api/secrets")
    async def show_all(
        limit: Limit = 100,
        cursor: Cursor = None,
        project: Annotated[
            RowId | None, Query(description="Only those that its jobs can have: its own, and those for all.")
        ] = None,
    ) -> Page[SecretView]:
        found = await store.read(list_secrets, project, cursor or 0, limit + 1)
        return page(found, limit, [secret.id for secret in found])

    @router.post("/api/secrets", status_code=201, responses={200: {"model": SecretView}})
    async def keep(wish: SecretWish, request: Request, response: Response) -> SecretView:
        check_value(wish.value)
        kept = await store.write(
            set_secret,
            wish.project,
            wish.name,
            key.seal(wish.value, secret_row(wish.project, wish.name)),
            warnings=warnings_of(wish.value),
            author=request.state.name,
        )
        response.status_code = 201 if kept.made else 200
        return kept.secret

    @router.delete("/api/secrets/{id}", status_code=204)
    async def remove(id: RowId) -> None:
        await store.write(remove_secret, id)

    return router
