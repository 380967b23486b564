"""Runs of one concurrency group take their places in the order in which they came, also where their plans are read in another.

Which group a run is of is known when its plan has been read. A run that is planned before an older one of its plan waits for it,
where both are of one group if the older one's plan says what its own says; or ends it, where it would anyway. Of several it waits
for the last, so that each frees one, and what waits is not read again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy import Connection, bindparam, select, update

from tailrace.domain.branches import track_of
from tailrace.domain.errors import MoveRefused
from tailrace.domain.events import Event
from tailrace.domain.filters import why_not
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import Plan
from tailrace.domain.plan.turns import resolve_group
from tailrace.domain.states import RunState
from tailrace.store.aborts import abort_run
from tailrace.store.clock import read_clock
from tailrace.store.jobs import lock_run
from tailrace.store.run_names import run_names
from tailrace.store.tables import run as runs
from tailrace.store.tables import run_planning
from tailrace.store.turns import about_run

_SELF = runs.alias("self")

LOOK_AGAIN_MS = 2000
"""Who waits is planned as soon as the older one was; after so long it looks by itself."""

# A bound of ids has SQLite go through those that are being planned, and not through all runs of the plan.
_OLDER = (
    select(runs.c.id, runs.c.event)
    .where(
        run_planning,
        runs.c.plan_id == bindparam("plan"),
        runs.c.id < bindparam("run"),
        runs.c.from_fork.is_(False),  # it has no place before somebody approves it
    )
    .order_by(runs.c.id.desc())
)
_ANY = _OLDER.with_only_columns(runs.c.id).limit(1)
_ALL = 2**63 - 1
_WAITING = select(runs.c.id, runs.c.detail).where(
    run_planning,
    runs.c.plan_id == select(_SELF.c.plan_id).where(_SELF.c.id == bindparam("run")).scalar_subquery(),
    runs.c.id > bindparam("run"),
    runs.c.claimed_by.is_(None),
    runs.c.claimed_until.is_not(None),
)


class OlderFirst(Exception):
    """This run of the same group came before, and is still being planned."""

    def __init__(self, older: int) -> None:
        super().__init__(older)
        self.older = older


def may_be_behind(connection: Connection, plan_id: int, plan: Plan) -> bool:
    """Whether a new run of the plan could take its place before one that is still being planned: it is planned behind it then."""
    if not _has_group(plan):
        return False
    return connection.execute(_ANY, {"plan": plan_id, "run": _ALL}).first() is not None


def keep_order(connection: Connection, run_id: int, plan: Plan, known: Mapping[str, str | None]) -> None:
    """Before a run gets its jobs: those of its group that are still being planned come first, or end for it.

    `known` is what was found out of the run: `revision`, `ref` and `branch`. Those of whose event the plan wants no run are left
    alone. Raises OlderFirst for the last of those that come first.
    """
    if not _has_group(plan):
        return
    about = about_run(connection, run_id)
    found = {key: value or "" for key, value in known.items()}
    found["branch"] = track_of(found.get("ref"), found.get("branch"), False) or ""
    own = _group(plan, about.values | found)
    for older, event in connection.execute(_OLDER, {"plan": about.plan_id, "run": run_id}).all():
        if _group(plan, about_run(connection, older).values) != own or _is_unwanted(plan, event):
            continue
        if plan.concurrency is None or not plan.concurrency.cancel_superseded:
            raise OlderFirst(older)
        with suppress(MoveRefused):  # it ended while its row was waited for
            abort_run(connection, older, f"run {run_names(connection, [run_id])[0]}", Reason.SUPERSEDED_BY)


def wait_behind(connection: Connection, run_id: int, by: str, older: int) -> None:
    """`by` gives the run back: it is planned when the older one was, at once where that is so by now."""
    held = select(runs.c.id).where(run_planning, runs.c.id == run_id, runs.c.claimed_by == by)
    if connection.execute(held.with_for_update()).first() is None:
        return
    until, detail = None, None
    # Locked, so that the older one is not planned between this look and what is written: it would not see who waits.
    if lock_run(connection, older) is RunState.PLANNING:
        until, detail = read_clock(connection) + LOOK_AGAIN_MS, _behind(connection, older)
    free = update(runs).where(runs.c.id == run_id)
    connection.execute(free.values(claimed_until=until, claimed_by=None, detail=detail))


def free_behind(connection: Connection, run_id: int) -> None:
    """The run has been planned, or has ended: who waits for it may be planned at once. The caller holds its row."""
    waiting = connection.execute(_WAITING, {"run": run_id}).all()
    if not waiting:
        return
    why = _behind(connection, run_id)
    free = [row.id for row in waiting if row.detail == why]
    connection.execute(update(runs).where(runs.c.id.in_(free)).values(claimed_until=None))


def _has_group(plan: Plan) -> bool:
    return plan.concurrency is not None or plan.max_parallel is not None


def _group(plan: Plan, values: dict[str, str]) -> str:
    """With `max_parallel` all runs of the plan are one group."""
    return "" if plan.concurrency is None else resolve_group(plan.concurrency.group, values)


def _is_unwanted(plan: Plan, event: dict[str, object] | None) -> bool:
    """Whether the plan wants no run of an event, as far as its sender said what it is about."""
    return event is not None and why_not(plan.on, Event.model_validate(event)) is not None


def _behind(connection: Connection, older: int) -> str:
    """What a run shows that waits for an older one; by it the older one knows who waits for it."""
    name = run_names(connection, [older])[0]
    return f"run {name}, of the same concurrency group, came before it and is still being planned"
