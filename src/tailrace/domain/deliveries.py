"""Deliveries: what is shown of webhooks as they arrived, and of what came of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tailrace.domain.model import Model, Time
from tailrace.domain.triggers import Outcome


class OutcomeView(Outcome):
    """What one trigger made of an event, with the number of its run in the project."""

    run_number: int | None = None


Outcomes = Annotated[
    tuple[OutcomeView, ...] | None, Field(description="Null: no trigger was asked, and `detail` says why.")
]


class DeliveryView(Model):
    """A webhook as it arrived, and what came of it; `runs` (ids) are also those of its `replays`, which are counted.

    `run_numbers` are those of the same runs, in the same order: people call them PROJECT#NUMBER.
    `removed_at` is when retention took its headers and body: then it cannot be replayed.
    """

    id: int
    project: int
    project_name: str
    source: str
    event: str | None
    key: str | None
    state: str
    detail: str | None
    runs: tuple[int, ...]
    run_numbers: tuple[int, ...]
    outcomes: Outcomes
    replays: int
    received_at: Time
    removed_at: Time | None


class ReplayView(Model):
    """What came of a delivery when `by` had it acted on again."""

    id: int
    by: str
    at: Time
    state: str
    detail: str | None
    outcomes: Outcomes


class DeliveryDetail(Model):
    """A delivery with what was sent: `headers` without secrets, `body` as text, null where it is none or was removed.

    `size` is the whole body's, in bytes; of a larger one, `body` is the beginning and `cut` is true.
    """

    delivery: DeliveryView
    headers: dict[str, str]
    body: str | None
    size: int
    cut: bool
    replayed: tuple[ReplayView, ...]
