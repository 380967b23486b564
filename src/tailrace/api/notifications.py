"""Rules of what is told, and what became of each message."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.domain.notifications import NotificationView, RuleView, When
from tailrace.domain.states import NotificationState
from tailrace.domain.text import Text
from tailrace.live.bus import Bus
from tailrace.live.scopes import RUNS
from tailrace.store import Store
from tailrace.store.notification_rules import add_rule, change_rule, get_rule, list_rules, remove_rule
from tailrace.store.outbox import NotificationFilter, get_notification, list_notifications, send_again

On = Annotated[tuple[When, ...], Field(min_length=1, max_length=5)]
Pattern = Annotated[Text, Field(min_length=1, max_length=200)]
Branches = Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=100)]


class RuleWish(BaseModel):
    """Of which runs a channel is told, and when: without `plan` of all of the project, without both of all projects."""

    model_config = ConfigDict(extra="forbid")
    channel: RowId
    project: RowId | None = None
    plan: RowId | None = None
    on: On
    branches: Branches | None = None


class RuleChange(BaseModel):
    """What is left out stays; `branches: null` is for all."""

    model_config = ConfigDict(extra="forbid")
    on: On | None = None
    branches: Branches | None = None
    enabled: bool | None = None


def rules_router(store: Store) -> APIRouter:
    """Routes for rules."""
    router = APIRouter(tags=["notifications"])

    @router.get("/api/notification-rules")
    async def show_all(
        limit: Limit = 100,
        cursor: Cursor = None,
        project: Annotated[RowId | None, Query(description="Only those for its runs.")] = None,
        channel: Annotated[RowId | None, Query()] = None,
    ) -> Page[RuleView]:
        found = await store.read(
            list_rules, project_id=project, channel_id=channel, after=cursor or 0, limit=limit + 1
        )
        return page(found, limit, [rule.id for rule in found])

    @router.post("/api/notification-rules", status_code=201)
    async def add(wish: RuleWish, request: Request) -> RuleView:
        return await store.write(
            add_rule,
            wish.channel,
            project_id=wish.project,
            plan_id=wish.plan,
            on=wish.on,
            branches=wish.branches,
            author=request.state.name,
        )

    @router.get("/api/notification-rules/{id}")
    async def show(id: RowId) -> RuleView:
        return await store.read(get_rule, id)

    @router.patch("/api/notification-rules/{id}")
    async def change(id: RowId, wish: RuleChange) -> RuleView:
        values = wish.model_dump(mode="json", include=wish.model_fields_set)
        said = {name: value for name, value in values.items() if value is not None or name == "branches"}
        return await store.write(change_rule, id, **said)

    @router.delete("/api/notification-rules/{id}", status_code=204)
    async def remove(id: RowId) -> None:
        await store.write(remove_rule, id)

    return router


def notifications_router(store: Store, bus: Bus) -> APIRouter:
    """Routes for the outbox."""
    router = APIRouter(tags=["notifications"])

    @router.get("/api/notifications")
    async def show_all(
        limit: Limit = 50,
        cursor: Cursor = None,
        state: NotificationState | None = None,
        channel: Annotated[RowId | None, Query()] = None,
        run: Annotated[RowId | None, Query()] = None,
        project: Annotated[RowId | None, Query(description="Only those of its runs.")] = None,
    ) -> Page[NotificationView]:
        """Newest first."""
        wanted = NotificationFilter(state, channel, run, project, cursor, limit + 1)
        found = await store.read(list_notifications, wanted)
        return page(found, limit, [one.id for one in found])

    @router.get("/api/notifications/{id}")
    async def show(id: RowId) -> NotificationView:
        return await store.read(get_notification, id)

    @router.post("/api/notifications/{id}/retry")
    async def again(id: RowId) -> NotificationView:
        """Send one again that failed, or of which nobody knows whether it arrived."""
        shown = await store.write(send_again, id)
        bus.publish(RUNS, shown.run)
        return shown

    return router
