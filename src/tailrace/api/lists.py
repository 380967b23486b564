"""Lists: `{"items": […], "next": cursor or null}`."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from tailrace.api.numbers import LARGEST

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=500, description="How many items at most.")]
Cursor = Annotated[int | None, Query(ge=0, le=LARGEST, description="`next` of the page before.")]


class Page(BaseModel, Generic[T]):
    """One page of a list; `next` is the cursor of the page after it, null on the last."""

    items: list[T]
    next: int | None


def page(items: list[T], limit: int, ids: list[int]) -> Page[T]:
    """A page of at most `limit` items, from a query that asked for one more."""
    more = len(items) > limit
    return Page(items=items[:limit], next=ids[limit - 1] if more else None)
