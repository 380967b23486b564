"""A webhook that verified: one transaction keeps the delivery, moves the head and makes its runs."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from tailrace.domain.events import Event, EventKind
from tailrace.domain.filters import same_action
from tailrace.domain.triggers import Outcome
from tailrace.store.deliveries import NewDelivery, add_delivery, find_delivery, note_outcomes
from tailrace.store.heads import forget_head, move_head
from tailrace.store.pull_requests import end_questions
from tailrace.store.told import forget_told, tell_once
from tailrace.triggers.fire import Fired, fire, why_nothing_runs

_ENDS = ("closed", "merged")
_UNDOES = {"closed": ("reopened",), "merged": ("reopened",), "reopened": ("closed", "merged")}
"""People close and open a pull request again to have it run: what undoes another makes that one news again, however soon."""


class Accepted(NamedTuple):
    """What became of a delivery; `again` says that it had come before, and nothing was made now. `ended` are runs that it ended."""

    delivery: int
    runs: tuple[int, ...]
    state: str
    detail: str | None
    again: bool
    outcomes: tuple[Outcome, ...] = ()
    ended: tuple[int, ...] = ()


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
    ended = _end_questions(connection, new.project_id, event)
    if not _tells(connection, new.project_id, event) and why_nothing_runs(event) is None:
        fired = Fired((), (), _nothing_new(event))
    else:
        fired = fire(connection, new.project_id, event, kind="webhook", by=event.author, delivery_id=delivery)
    note_outcomes(connection, delivery, fired.state, fired.why, fired.outcomes)
    return Accepted(delivery, fired.runs, fired.state, fired.why, False, fired.outcomes, ended)


def _end_questions(connection: Connection, project_id: int, event: Event) -> tuple[int, ...]:
    """What waited for leave to run a pull request's commits, and need not wait any more: it has ended."""
    if event.kind is not EventKind.PULL_REQUEST or event.ref is None or event.action not in _ENDS:
        return ()
    return end_questions(connection, project_id, event.ref, event.action)


def _tells(connection: Connection, project_id: int, event: Event) -> bool:
    """Whether it tells something new: what is no push, and has no words of its own, always does."""
    words = _in_words(event)
    if words is not None:
        if why_nothing_runs(event) is not None:
            return True
        for undone in _UNDOES.get(same_action(event.action or ""), ()):
            forget_told(connection, project_id, _in_words(event.model_copy(update={"action": undone})) or "")
        return tell_once(connection, project_id, words)
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
