"""Triggers: what starts runs of a plan."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.cron import check_settings
from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.api.projects import Name
from tailrace.domain.errors import Conflict
from tailrace.domain.text import Text
from tailrace.domain.triggers import TriggerKind, TriggerSettings, TriggerView
from tailrace.live.bus import Bus
from tailrace.live.scopes import SCHEDULE
from tailrace.store import Store
from tailrace.store.schedules import follows_plan
from tailrace.store.triggers import (
    add_trigger,
    change_trigger,
    check_now,
    get_trigger,
    list_triggers,
    remove_trigger,
    set_enabled,
)


class TriggerWish(BaseModel):
    """A trigger of `plan`; its `settings` say in `kind` what it listens to."""

    model_config = ConfigDict(extra="forbid")
    plan: RowId
    name: Name
    settings: TriggerSettings
    enabled: bool = True


class TriggerChange(BaseModel):
    """What is left out stays; `settings` are replaced as a whole, and must be of the same kind."""

    model_config = ConfigDict(extra="forbid")
    name: Name | None = None
    settings: TriggerSettings | None = None


class ModeWish(BaseModel):
    """Why it is enabled or disabled: for those who look at it later."""

    model_config = ConfigDict(extra="forbid")
    why: Annotated[Text, Field(max_length=500)] | None = None


def _refuse_kept(name: str) -> None:
    if follows_plan(name):
        raise Conflict(
            f"{name} is the name of a trigger that follows `on.schedule` of its plan: it is made, changed and removed with"
            " the plan's text; choose a name that is not on.schedule or on.schedule.NUMBER"
        )


def triggers_router(store: Store, bus: Bus) -> APIRouter:
    """Routes for triggers."""
    router = APIRouter(tags=["triggers"])

    @router.get("/api/triggers")
    async def show_all(
        project: Annotated[RowId | None, Query()] = None,
        plan: Annotated[RowId | None, Query()] = None,
        kind: Annotated[TriggerKind | None, Query()] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Page[TriggerView]:
        """The oldest first."""
        found = await store.read(list_triggers, project, plan, kind, cursor or 0, limit + 1)
        return page(found, limit, [trigger.id for trigger in found])

    @router.post("/api/triggers", status_code=201)
    async def create(wish: TriggerWish) -> TriggerView:
        """Whatever looks somewhere does so at once."""
        check_settings(wish.settings)
        _refuse_kept(wish.name)
        made = await store.write(add_trigger, wish.plan, wish.name, wish.settings, enabled=wish.enabled)
        bus.publish(SCHEDULE)
        return made

    @router.get("/api/triggers/{id}")
    async def show(id: RowId) -> TriggerView:
        return await store.read(get_trigger, id)

    @router.patch("/api/triggers/{id}")
    async def change(id: RowId, wish: TriggerChange) -> TriggerView:
        """It looks at once, and anew where it is to look at something else."""
        if wish.settings is not None:
            check_settings(wish.settings)
        if wish.name is not None and wish.name != (old := await store.read(get_trigger, id)).name:
            _refuse_kept(wish.name)
            _refuse_kept(old.name)
        changed = await store.write(change_trigger, id, name=wish.name, settings=wish.settings)
        bus.publish(SCHEDULE)
        return changed

    @router.delete("/api/triggers/{id}", status_code=204)
    async def remove(id: RowId) -> None:
        await store.write(remove_trigger, id)

    @router.post("/api/triggers/{id}/enable")
    async def enable(id: RowId, request: Request, wish: ModeWish | None = None) -> TriggerView:
        return await _set(id, True, request, wish)

    @router.post("/api/triggers/{id}/disable")
    async def disable(id: RowId, request: Request, wish: ModeWish | None = None) -> TriggerView:
        """It starts nothing until it is enabled; what happens meanwhile is not made up for."""
        return await _set(id, False, request, wish)

    @router.post("/api/triggers/{id}/check", status_code=202)
    async def check(id: RowId) -> TriggerView:
        """Look now; 409 for what never looks (webhooks, cron), and for what is disabled."""
        wanted = await store.write(check_now, id)
        bus.publish(SCHEDULE)
        return wanted

    async def _set(id: int, enabled: bool, request: Request, wish: ModeWish | None) -> TriggerView:
        why = None if wish is None else wish.why
        done = await store.write(set_enabled, id, enabled, by=request.state.name, why=why)
        bus.publish(SCHEDULE)
        return done

    return router
