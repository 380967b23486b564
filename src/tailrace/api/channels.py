"""Channels: their secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.domain.access import Caller, Role
from tailrace.domain.address import refuse_login
from tailrace.domain.channels import (
    ChannelSettings,
    ForgeSettings,
    MessageSettings,
    WebhookSettings,
)
from tailrace.domain.notifications import ChannelView
from tailrace.notify.base import Undelivered
from tailrace.notify.sender import Sender, seal_secrets
from tailrace.notify.webhook import key_bytes
from tailrace.store import Store
from tailrace.store.channels import add_channel, change_channel, get_channel, list_channels, remove_channel
from tailrace.store.sealing import SealingKey

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
Secrets = Annotated[dict[str, str], Field(max_length=5)]


class ChannelWish(BaseModel):
    """`project` null: rules of all projects may use it. `secrets` are those of its kind, by their names."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    name: Name
    project: RowId | None = None
    settings: ChannelSettings
    secrets: Secrets = Field(default={}, repr=False)


class ChannelChange(BaseModel):
    """What is left out stays; `secrets` replaces all of them."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    name: Name | None = None
    settings: ChannelSettings | None = None
    secrets: Secrets | None = Field(default=None, repr=False)
    enabled: bool | None = None


class Trial(BaseModel):
    """What became of a test message; `detail` says why it did not arrive."""

    ok: bool
    detail: str


def channels_router(store: Store, key: SealingKey, sender: Sender) -> APIRouter:
    """Routes for channels."""
    router = APIRouter(tags=["notifications"])

    @router.get("/api/channels")
    async def show_all(
        limit: Limit = 100,
        cursor: Cursor = None,
        project: Annotated[RowId | None, Query(description="Only those that its rules may use.")] = None,
    ) -> Page[ChannelView]:
        found = await store.read(list_channels, project, cursor or 0, limit + 1)
        return page(found, limit, [channel.id for channel in found])

    @router.post("/api/channels", status_code=201)
    async def add(wish: ChannelWish, request: Request) -> ChannelView:
        await _check(sender, wish.settings, wish.secrets)
        seal = partial(seal_secrets, key, wish.secrets)
        return await store.write(
            add_channel,
            wish.project,
            wish.name,
            wish.settings,
            wish.secrets,
            seal,
            author=request.state.name,
        )

    @router.get("/api/channels/{id}")
    async def show(id: RowId) -> ChannelView:
        return await store.read(get_channel, id)

    @router.patch("/api/channels/{id}")
    async def change(id: RowId, wish: ChannelChange, request: Request) -> ChannelView:
        """Settings that name another host, address, port, repository or chat want the secrets again: they would be used there."""
        if wish.secrets is not None:
            caller: Caller = request.state.caller
            caller.check(Role.ADMIN, f"the secrets of channel {id}")
        if wish.settings is not None:
            _check_address(wish.settings)
        if wish.secrets is not None:
            known = await store.read(get_channel, id)
            await _check(sender, wish.settings or known.settings, wish.secrets)
        secrets = None if wish.secrets is None else (wish.secrets, partial(seal_secrets, key, wish.secrets))
        return await store.write(
            change_channel,
            id,
            name=wish.name,
            settings=wish.settings,
            secrets=secrets,
            enabled=wish.enabled,
        )

    @router.delete("/api/channels/{id}", status_code=204)
    async def remove(id: RowId) -> None:
        """Its rules go with it; what it has sent stays to be seen."""
        await store.write(remove_channel, id)

    @router.post("/api/channels/{id}/test")
    async def test(id: RowId, request: Request) -> Trial:
        """Send a test message, now; a forge is asked for its repository, and nothing is changed there."""
        try:
            await sender.try_channel(id, request.state.name)
        except Undelivered as error:
            return Trial(ok=False, detail=str(error))
        return Trial(ok=True, detail="it was taken")

    return router


def _check_address(settings: MessageSettings | ForgeSettings) -> None:
    for name in ("url", "api"):
        refuse_login(getattr(settings, name, ""), f"settings: {name}", "secrets have a place of their own")


async def _check(
    sender: Sender, settings: MessageSettings | ForgeSettings, secrets: Mapping[str, str]
) -> None:
    _check_address(settings)
    await sender.check_secrets(settings, secrets)
    if isinstance(settings, WebhookSettings):
        key_bytes(secrets["key"])
