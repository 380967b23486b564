"""Agents: listed, given one-time tokens, registered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.auth import OPEN_BODY_BYTES, hash_of, new_secret
from tailrace.api.lists import Page
from tailrace.domain.model import AgentView, Time
from tailrace.live.bus import Bus
from tailrace.live.scopes import AGENTS
from tailrace.store import Store
from tailrace.store.agents import add_agent_token, list_agents, register_agent

TOKEN_LIFE_MS = 24 * 3600 * 1000

Labels = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/=+@-]{0,99}$")], ...],
    Field(max_length=200),
]


class TokenWish(BaseModel):
    model_config = ConfigDict(extra="forbid")
    labels: Labels = ()


class AgentToken(BaseModel):
    """A registration token: it can be used once."""

    token: str
    expires_at: Time


class Registration(BaseModel):
    token: str
    name: Annotated[str, Field(min_length=1, max_length=100)]
    labels: Labels = ()
    capacity: Annotated[int, Field(ge=1, le=1000)]
    version: Annotated[str, Field(max_length=50)]


class Credential(BaseModel):
    """What the agent keeps (and nobody else): it connects with it."""

    id: int
    credential: str


def agents_router(store: Store, bus: Bus, lease_ms: int) -> APIRouter:
    """Routes for agents."""
    router = APIRouter(tags=["agents"])

    @router.get("/api/agents")
    async def show_all() -> Page[AgentView]:
        return Page(items=await store.read(list_agents, lease_ms), next=None)

    @router.post("/api/agent-tokens", status_code=201)
    async def make_token(wish: TokenWish | None = None) -> AgentToken:
        token = new_secret()
        labels = (wish or TokenWish()).labels
        expires = await store.write(add_agent_token, hash_of(token), labels, TOKEN_LIFE_MS)
        return AgentToken(token=token, expires_at=expires)

    @router.post("/api/agents/register", status_code=201, max_body_size=OPEN_BODY_BYTES)
    async def register(wish: Registration) -> Credential:
        credential = new_secret()
        id = await store.write(
            register_agent,
            hash_of(wish.token),
            hash_of(credential),
            name=wish.name,
            labels=wish.labels,
            capacity=wish.capacity,
            version=wish.version,
        )
        bus.publish(AGENTS)
        return Credential(id=id, credential=credential)

    return router
