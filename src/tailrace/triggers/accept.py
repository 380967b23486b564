"""A webhook that verified: one transaction keeps the delivery and makes its runs."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from tailrace.domain.events import Event, EventKind
from tailrace.store.deliveries import NewDelivery, add_delivery, find_delivery
from tailrace.store.plans import webhook_plans
from tailrace.store.runs import NewRun, create_run
from tailrace.triggers.planned import planned_at_once

PULL_REQUEST_ACTIONS = ("opened", "synchronize", "reopened")


class Accepted(NamedTuple):
    """What became of a delivery; `again` says that it had come before, and nothing was made now."""

    delivery: int
    runs: tuple[int, ...]
    state: str
    detail: str | None
    again: bool


def accept(connection: Connection, new: NewDelivery, event: Event | None) -> Accepted:
    """Keep the delivery and, for each trigger that matches, make a run.

    `event` is None for a delivery that starts nothing, whose `state` and `detail` say why already.
    """
    if new.key is not None:
        before = find_delivery(connection, new.project_id, new.source, new.key)
        if before is not None:
            return Accepted(before.id, before.runs, before.state, before.detail, True)
    why = None if event is None else why_nothing_runs(event)
    if why is not None:
        new = replace(new, state="ignored", detail=why)
    delivery = add_delivery(connection, new)
    if event is None or why is not None:
        return Accepted(delivery, (), new.state, new.detail, False)
    runs = tuple(
        create_run(
            connection,
            NewRun(
                plan_id=source.plan_id,
                project_id=source.project_id,
                event=event,
                trigger_kind="webhook",
                trigger_by=event.author,
                delivery_id=delivery,
                plan_version_id=source.version_id,
                planned=planned_at_once(source, event.revision),
            ),
        )
        for source in webhook_plans(connection, new.project_id)
    )
    return Accepted(delivery, runs, new.state, new.detail, False)


def why_nothing_runs(event: Event) -> str | None:
    """Why an event starts nothing, or None when it does."""
    if event.kind is EventKind.PING:
        return "a ping: the webhook works"
    if event.deleted:
        return f"{event.ref} was deleted: there is nothing to run"
    if event.kind is EventKind.PULL_REQUEST:
        if event.action not in PULL_REQUEST_ACTIONS:
            return f"a pull request that was {event.action}: runs start when one is {', '.join(PULL_REQUEST_ACTIONS)}"
        if event.from_fork:
            return "a pull request from a fork: such runs need an approval, which is not supported yet"
    return None
