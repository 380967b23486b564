"""A kept delivery acted on again: the triggers of today are asked, and no head is moved."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from tailrace.domain.events import Event
from tailrace.store.deliveries import add_replay, get_stored
from tailrace.store.projects import get_project
from tailrace.store.run_names import run_numbers
from tailrace.triggers.fire import Fired, fire


class Replayed(NamedTuple):
    """What came of a delivery this time."""

    replay: int
    project_name: str
    runs: tuple[int, ...]
    run_numbers: tuple[int, ...]
    state: str
    detail: str | None


def replay(
    connection: Connection, delivery_id: int, event: Event | None, state: str, detail: str | None, *, by: str
) -> Replayed:
    """Make the runs that the delivery starts now; `event`, `state` and `detail` are how it is read now, as `accept` has them.

    What it tells may be long past, so the heads stay where they are. Raises NotFound, also for a project that was removed.
    """
    project = get_project(connection, get_stored(connection, delivery_id).project_id)
    fired = Fired((), (), detail)
    if event is not None:
        fired = fire(connection, project.id, event, kind="webhook", by=by, delivery_id=delivery_id)
        state, detail = fired.state, fired.why
    made = add_replay(connection, delivery_id, by, state, detail, fired.outcomes)
    numbers = tuple(run_numbers(connection, fired.runs))
    return Replayed(made, project.name, fired.runs, numbers, state, detail)
