"""A webhook that verified: one transaction keeps the delivery, moves the head and makes its runs."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from tailrace.domain.events import Event, EventKind
from tailrace.domain.filters import same_action
from tailrace.domain.triggers import Outcome
from tailrace.store.deliveries import NewDelivery, add_delivery, find_delivery, note_outcomes
from tailrace.store.heads import forget_head, move_head
from tailrace.store.told import tell_once
from tailrace.triggers.fire import Fired, fire, why_nothing_runs


class Accepted(NamedTuple):
    """What became of a delivery; `again` says that it had come before, and nothing was made now."""

    delivery: int
    runs: tuple[int, ...]
    state: str
    detail: str | None
    again: bool
    outcomes: tuple[Outcome, ...] = ()


def accept(connection: Connection, new: NewDelivery, event: Event | None) -> Accepted:
    """Keep the delivery and, for each trigger that matches, make a run.

    `event` is None for a delivery that starts nothing, whose `state` and `detail` say why already.
    """
    if new.key is not None:
        before = find_delivery(connection, new.project_id, new.source, new.key)
        if before is not None:
            return Accepted(before.id, before.runs, before.state, before.detail, True, before.outcomes or ())
    delivery = add_delivery(connection, new)
    if event is None:
        return Accepted(delivery, (), new.state, new.detail, False)
    if not _tells(connection, new.project_id, event) and why_nothing_runs(event) is None:
        fired = Fired((), (), _nothing_new(event))
    else:
        fired = fire(connection, new.project_id, event, kind="webhook", by=event.author, delivery_id=delivery)
    note_outcomes(connection, delivery, fired.state, fired.why, fired.outcomes)
    return Accepted(delivery, fired.runs, fired.state, fired.why, False, fired.outcomes)


def _tells(connection: Connection, project_id: int, event: Event) -> bool:
    """Whether it tells something new: what is no push, and has no words of its own, always does."""
    words = _in_words(event)
    if words is not None:
        return why_nothing_runs(event) is not None or tell_once(connection, project_id, words)
    if event.kind not in (EventKind.PUSH, EventKind.TAG) or event.ref is None:
        return True
    if event.deleted:
        forget_head(connection, project_id, event.ref)
        return True
    if event.revision is None:
        return True
    # Who takes commits away goes back to an older one, and means it.
    made = None if event.action == "forced" else event.committed_at
    return move_head(connection, project_id, event.ref, event.revision, event.before, by="webhook", made=made)


def _in_words(event: Event) -> str | None:
    """What happened, where no head tells whether that is news."""
    if event.kind is EventKind.PULL_REQUEST and event.pull_request is not None:
        return f"pull request {event.pull_request} {same_action(event.action or '')} at {event.revision}"
    return event.once


def _nothing_new(event: Event) -> str:
    if (words := _in_words(event)) is not None:
        return f"{words}: another webhook told of it within a minute"
    return f"{event.ref} was seen at {(event.revision or '')[:12]} before: nothing new is told"
