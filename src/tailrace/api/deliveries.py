"""The inbox of webhooks: listed, looked at, replayed."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.api.replays import Replays
from tailrace.api.times import moment, moment_in
from tailrace.domain.deliveries import DeliveryDetail, DeliveryView
from tailrace.domain.errors import TailraceError
from tailrace.domain.model import RefusalView
from tailrace.domain.text import Text
from tailrace.store import Store
from tailrace.store.deliveries import (
    DeliveryFilter,
    find_replayable,
    list_deliveries,
    list_refusals,
    newest_delivery,
)
from tailrace.triggers.replay import Replayed

MOST_AT_ONCE = 1000
_log = structlog.get_logger("deliveries")

State = Literal["accepted", "ignored", "invalid"]
Word = Annotated[Text, Field(min_length=1, max_length=100)]
_Moment = Annotated[str | None, Query(description="ISO 8601, or ms since 1970.")]


class ReplayAnswer(BaseModel):
    """What came of a delivery this time: the ids of the runs and their numbers, or in `detail` why there are none."""

    delivery: int
    project_name: str
    replay: int
    runs: list[int]
    run_numbers: list[int]
    state: str
    detail: str | None


class ReplayFailure(BaseModel):
    delivery: int
    detail: str


class ReplayWish(BaseModel):
    """Which deliveries: `ids`, or all that the filters let through, the oldest first; `dry_run` only says which.

    `after` is the `next` of the answer before: an id, above which it goes on; `through` the `through` of the first answer, so that
    what comes meanwhile is not replayed too.
    """

    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[RowId], Field(min_length=1, max_length=MOST_AT_ONCE)] | None = None
    project: RowId | None = None
    state: State | None = None
    source: Word | None = None
    event: Word | None = None
    since: Word | None = None
    until: Word | None = None
    after: RowId | None = None
    through: RowId | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = MOST_AT_ONCE
    dry_run: bool = False

    @model_validator(mode="after")
    def _some(self) -> ReplayWish:
        if self.ids is None and self.model_fields_set <= {"after", "through", "limit", "dry_run"}:
            raise ValueError("expected `ids`, or a filter: project, state, source, event, since, until")
        return self


class ReplaysAnswer(BaseModel):
    """`deliveries` are those that were meant, `replayed` what came of them, `failed` what could not be acted on.

    `next` is where to go on (`after`), null when there are no more; `through` the last that there was at first. `stopped` says why
    it ended before its time: what comes after `next` was not tried.
    """

    dry_run: bool
    deliveries: list[int]
    replayed: list[ReplayAnswer]
    failed: list[ReplayFailure]
    through: int
    next: int | None = None
    stopped: str | None = None


def deliveries_router(store: Store, replays: Replays) -> APIRouter:
    """Routes for deliveries."""
    router = APIRouter(tags=["deliveries"])

    @router.get("/api/deliveries")
    async def show_all(
        request: Request,
        project: Annotated[RowId | None, Query()] = None,
        state: Annotated[State | None, Query()] = None,
        source: Annotated[Word | None, Query(description="Such as github.")] = None,
        event: Annotated[Word | None, Query(description="The sender's own word, such as push.")] = None,
        since: _Moment = None,
        until: _Moment = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[DeliveryView]:
        """The newest first."""
        wanted = DeliveryFilter(
            project=project,
            state=state,
            source=source,
            event=event,
            since=moment_in(request.query_params, "since"),
            until=moment_in(request.query_params, "until"),
            before=cursor,
            limit=limit + 1,
        )
        found = await store.read(list_deliveries, wanted)
        return page(found, limit, [delivery.id for delivery in found])

    @router.post("/api/deliveries/replay")
    async def replay_many(wish: ReplayWish, request: Request) -> ReplaysAnswer:
        """Act on many again, one after the other, the oldest first."""
        wanted = DeliveryFilter(
            project=wish.project,
            state=wish.state,
            source=wish.source,
            event=wish.event,
            since=None if wish.since is None else moment(wish.since, "since"),
            until=None if wish.until is None else moment(wish.until, "until"),
            ids=None if wish.ids is None else tuple(wish.ids),
            limit=MOST_AT_ONCE,
        )
        newest = await store.read(newest_delivery)
        through = min(wish.through or newest, newest)
        missing: list[int] = []
        if wish.ids is not None and wish.after is None:  # told once, and not by each call that goes on
            missing = sorted(set(wish.ids) - set(await store.read(find_replayable, wanted)))
        part = replace(wanted, after=wish.after, before=through + 1, limit=wish.limit + 1)
        ids = await store.read(find_replayable, part)
        more, ids = len(ids) > wish.limit, ids[: wish.limit]
        answer = ReplaysAnswer(dry_run=wish.dry_run, deliveries=ids, replayed=[], failed=[], through=through)
        answer.next = ids[-1] if more else None
        for id in missing:
            detail = "there is no such delivery that the filters let through and whose body is kept"
            answer.failed.append(ReplayFailure(delivery=id, detail=detail))
        for id in () if wish.dry_run else ids:
            try:
                answer.replayed.append(_answer(id, await replays.replay(id, request.state.name)))
            except TailraceError as error:  # the others are to be acted on all the same
                answer.failed.append(ReplayFailure(delivery=id, detail=str(error)))
            except SQLAlchemyError as error:
                # The next would fail likewise, and what was done has to be known.
                _log.error("replays stopped", delivery=id, error=str(error))
                what = f"delivery {id} and those after it were not tried"
                answer.next, answer.stopped = id - 1, f"the database does not answer: {what}"
                break
        return answer

    @router.get("/api/deliveries/{id}")
    async def show(id: RowId) -> DeliveryDetail:
        """With headers and body, as far as they are kept, and what came of its replays."""
        return await replays.look(id)

    @router.get("/api/deliveries/{id}/body", response_class=Response)
    async def show_body(id: RowId) -> Response:
        """The body, byte for byte as it was sent; never to be shown as a page of this server."""
        headers = {
            "content-disposition": f'attachment; filename="delivery-{id}"',
            "x-content-type-options": "nosniff",
        }
        return Response(await replays.body(id), 200, headers, "application/octet-stream")

    @router.post("/api/deliveries/{id}/replay")
    async def replay_one(id: RowId, request: Request) -> ReplayAnswer:
        """Act on it again, as the triggers are now."""
        return _answer(id, await replays.replay(id, request.state.name))

    @router.get("/api/refusals")
    async def show_refusals() -> Page[RefusalView]:
        """The last hundred webhooks that were refused, and why."""
        return Page(items=await store.read(list_refusals), next=None)

    return router


def _answer(id: int, done: Replayed) -> ReplayAnswer:
    return ReplayAnswer(
        delivery=id,
        project_name=done.project_name,
        replay=done.replay,
        runs=list(done.runs),
        run_numbers=list(done.run_numbers),
        state=done.state,
        detail=done.detail,
    )
