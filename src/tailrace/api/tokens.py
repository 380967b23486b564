"""Tokens of people and programs: made, listed, removed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.auth import hash_of, new_secret
from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.domain.access import TOKEN_NAME, TOKEN_PREFIX, Role, TokenView
from tailrace.live.bus import Bus
from tailrace.live.scopes import TOKENS
from tailrace.store import Store
from tailrace.store.identity import create_token, list_tokens, remove_token

MOST_DAYS = 3650


class NewToken(BaseModel):
    """`name` is what the token's deeds are recorded under. `life_s`: seconds for which it is good; null: for ever."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(pattern=f"^{TOKEN_NAME}$")]
    role: Role
    life_s: Annotated[int, Field(ge=60, le=MOST_DAYS * 24 * 3600)] | None = None


class MadeToken(TokenView):
    """With its value, which is not kept and cannot be shown again."""

    token: str


def tokens_router(store: Store, bus: Bus) -> APIRouter:
    """Routes for tokens."""
    router = APIRouter(tags=["tokens"])

    @router.get("/api/tokens")
    async def show_all(limit: Limit = 100, cursor: Cursor = None) -> Page[TokenView]:
        """Without their values; also those that have expired."""
        found = await store.read(list_tokens, cursor or 0, limit + 1)
        return page(found, limit, [token.id for token in found])

    @router.post("/api/tokens", status_code=201)
    async def make(wish: NewToken, request: Request) -> MadeToken:
        value = TOKEN_PREFIX + new_secret()
        made = await store.write(
            create_token,
            wish.name,
            wish.role,
            hash_of(value),
            author=request.state.name,
            life_ms=None if wish.life_s is None else wish.life_s * 1000,
        )
        return MadeToken(token=value, **made.model_dump())

    @router.delete("/api/tokens/{id}", status_code=204)
    async def remove(id: RowId) -> None:
        """At once: its sessions and sign-in links end too, and so does what they watch."""
        await store.write(remove_token, id)
        bus.publish(TOKENS)

    return router
