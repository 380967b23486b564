"""Runs of one concurrency group take their places in the order in which they came, also where their plans are read in another.

Which group a run is of is known when its plan has been read. A run that is planned before an older one of its plan waits for it,
where both are of one group if the older one's plan says what its own says; or ends it, where it would anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy import Connection, bindparam, select, update

from tailrace.domain.branches import track_of
from tailrace.domain.errors import MoveRefused
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import Plan
from tailrace.domain.plan.turns import resolve_group
from tailrace.store.aborts import abort_run
from tailrace.store.clock import read_clock
from tailrace.store.run_names import run_names
from tailrace.store.tables import run as runs
from tailrace.store.tables import run_planning
from tailrace.store.turns import about_run

LOOK_AGAIN_MS = 2000
"""Who waits is planned as soon as the older one was; after so long it looks by itself."""

_OLDER = (
    select(runs.c.id)
    .where(
        run_planning,
        runs.c.plan_id == bindparam("plan"),
        runs.c.id < bindparam("run"),
        runs.c.from_fork.is_(False),  # it has no place before somebody approves it
    )
    .order_by(runs.c.id)
)


class OlderFirst(Exception):
    """This run of the same group came before, and is still being planned."""

    def __init__(self, older: int) -> None:
        super().__init__(older)
        self.older = older


def keep_order(connection: Connection, run_id: int, plan: Plan, known: Mapping[str, str | None]) -> None:
    """Before a run gets its jobs: those of its group that are still being planned come first, or end for it.

    `known` is what was found out of the run: `revision`, `ref` and `branch`. Raises OlderFirst.
    """
    if plan.concurrency is None:
        return
    about = about_run(connection, run_id)
    found = {key: value or "" for key, value in known.items()}
    found["branch"] = track_of(found.get("ref"), found.get("branch"), False) or ""
    own = resolve_group(plan.concurrency.group, about.values | found)
    for older in connection.execute(_OLDER, {"plan": about.plan_id, "run": run_id}).scalars().all():
        if resolve_group(plan.concurrency.group, about_run(connection, older).values) != own:
            continue
        if not plan.concurrency.cancel_superseded:
            raise OlderFirst(older)
        with suppress(MoveRefused):  # it ended while its row was waited for
            abort_run(connection, older, f"run {run_names(connection, [run_id])[0]}", Reason.SUPERSEDED_BY)


def wait_behind(connection: Connection, run_id: int, by: str, older: int) -> None:
    """`by` gives the run back: it is planned when the older one was."""
    name = run_names(connection, [older])[0]
    connection.execute(
        update(runs)
        .where(run_planning, runs.c.id == run_id, runs.c.claimed_by == by)
        .values(
            claimed_until=read_clock(connection) + LOOK_AGAIN_MS,
            claimed_by=None,
            detail=f"run {name}, of the same concurrency group, came before it and is still being planned",
        )
    )


def free_behind(connection: Connection, run_id: int) -> None:
    """The run has been planned, or has ended: who waits for it may be planned at once."""
    plan = select(runs.c.plan_id).where(runs.c.id == run_id).scalar_subquery()
    waiting = (
        run_planning & (runs.c.plan_id == plan) & (runs.c.id > run_id) & runs.c.claimed_by.is_(None)
    ) & runs.c.troubled_at.is_(None)  # who waits for the repository goes on waiting
    connection.execute(
        update(runs).where(waiting, runs.c.claimed_until.is_not(None)).values(claimed_until=None)
    )
