"""Agents: listed, given one-time tokens, registered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.auth import FAREWELL, OPEN_BODY_BYTES, bearer, hash_of, new_secret
from tailrace.api.labels import Label
from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.domain.agent_changes import AgentChangeView
from tailrace.domain.errors import NotFound, Unauthorised
from tailrace.domain.model import AgentView, Time
from tailrace.domain.states import AgentMode
from tailrace.domain.text import Text
from tailrace.live.bus import Bus
from tailrace.live.scopes import AGENTS, LAPSED, agent_scope
from tailrace.store import Store
from tailrace.store.agent_changes import list_changes
from tailrace.store.agents import (
    AgentChange,
    add_agent_token,
    change_agent,
    find_agent,
    list_agents,
    register_agent,
    remove_agent,
)

Labels = Annotated[tuple[Label, ...], Field(max_length=200)]
Projects = Annotated[tuple[RowId, ...], Field(max_length=10_000)]


class TokenWish(BaseModel):
    """`life_s`: seconds for which the token is good. `projects`: ids of those whose work its agent may take; all if null."""

    model_config = ConfigDict(extra="forbid")
    labels: Labels = ()
    life_s: Annotated[int, Field(ge=60, le=30 * 24 * 3600)] = 24 * 3600
    projects: Projects | None = None


class ChangeWish(BaseModel):
    """What is not named stays. `labels` replaces those that people gave the agent; its machine's own stay.

    `projects`: ids of those whose work it may take; null for all.
    """

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    labels: Labels | None = None
    mode: AgentMode | None = None
    why: Annotated[Text, Field(max_length=500)] | None = None
    projects: Projects | None = None

    def change(self) -> AgentChange:
        """As the store takes it: `projects` that are null say something, `projects` that are not there do not."""
        any_project = self.projects is None and "projects" in self.model_fields_set
        return AgentChange(**self.model_dump(), any_project=any_project)


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
        wish = wish or TokenWish()
        expires = await store.write(
            add_agent_token, hash_of(token), wish.labels, wish.life_s * 1000, wish.projects
        )
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

    @router.post(FAREWELL, status_code=204, max_body_size=OPEN_BODY_BYTES)
    async def farewell(request: Request) -> None:
        """An agent that will not come back, by its credential: its machine lived for one job."""
        credential = bearer(request.headers)
        id = await store.read(find_agent, hash_of(credential)) if credential else None
        if id is None:
            raise Unauthorised(
                "no agent has this credential: it was removed already, or never registered here"
            )
        await _remove(id, "the agent itself", "it has done what it was for")

    @router.get("/api/agents/{id}")
    async def show(id: RowId) -> AgentView:
        return await _find(id)

    @router.patch("/api/agents/{id}")
    async def change(id: RowId, wish: ChangeWish, request: Request) -> AgentView:
        await store.write(change_agent, id, wish.change(), request.state.name)
        _tell(id)
        return await _find(id)

    @router.delete("/api/agents/{id}", status_code=204)
    async def remove(
        id: RowId,
        request: Request,
        why: Annotated[Text | None, Query(max_length=500, description="What people are told.")] = None,
    ) -> None:
        await _remove(id, request.state.name, why)

    @router.get("/api/agents/{id}/changes")
    async def show_changes(id: RowId, limit: Limit = 50, cursor: Cursor = None) -> Page[AgentChangeView]:
        """What people wanted of it, newest first; also of one that was removed."""
        found = await store.read(list_changes, id, before=cursor, limit=limit + 1)
        return page(found, limit, [one.id for one in found])

    async def _remove(id: int, by: str, why: str | None) -> None:
        await store.write(remove_agent, id, by, why)
        bus.publish(LAPSED)
        _tell(id)

    async def _find(id: int) -> AgentView:
        for agent in await store.read(list_agents, lease_ms):
            if agent.id == id:
                return agent
        raise NotFound("agent", id)

    def _tell(id: int) -> None:
        bus.publish(agent_scope(id))
        bus.publish(AGENTS)

    return router
