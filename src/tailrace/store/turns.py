"""Turns: runs of one concurrency group are under way one after the other, or a few at once, in the order of their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select, text, update

from tailrace.domain.branches import track_of
from tailrace.domain.plan import Plan
from tailrace.domain.plan.model import GROUP_VALUES
from tailrace.domain.plan.turns import resolve_group
from tailrace.store.tables import concurrency_group as groups
from tailrace.store.tables import plan as plans
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs
from tailrace.store.tables import run_in_turn

_NEW_GROUP = text("INSERT INTO concurrency_group (name) VALUES (:name) ON CONFLICT DO NOTHING")
_LOCK_GROUP = select(groups.c.name).where(groups.c.name == bindparam("name")).with_for_update()
_TURN = select(runs.c.concurrency, runs.c.turns, runs.c.place).where(runs.c.id == bindparam("run"))
_OTHERS = select(runs.c.id).where(
    run_in_turn, runs.c.concurrency == bindparam("name"), runs.c.id != bindparam("run")
)
_BEFORE = _OTHERS.where(runs.c.place < bindparam("place")).order_by(runs.c.place)
_OLDER = _OTHERS.where(runs.c.id < bindparam("run")).order_by(runs.c.place)
_YOUNGEST = _OTHERS.where(runs.c.id > bindparam("run")).order_by(runs.c.id.desc()).limit(1)
_LAST_PLACE = select(func.max(runs.c.place)).where(run_in_turn, runs.c.concurrency == bindparam("name"))
_SET_PLACE = update(runs).where(runs.c.id == bindparam("run")).values(place=bindparam("at"))
_FIRST = (
    select(runs.c.id)
    .where(run_in_turn, runs.c.concurrency == bindparam("name"))
    .order_by(runs.c.place)
    .limit(bindparam("turns"))
)
_SET = (
    update(runs)
    .where(runs.c.id == bindparam("run"))
    .values(priority=bindparam("rank"), concurrency=bindparam("name"), turns=bindparam("most"))
)
_ABOUT = (
    select(
        runs.c.project_id,
        runs.c.plan_id,
        runs.c.branch,
        runs.c.ref,
        runs.c.from_fork,
        runs.c.revision,
        runs.c.trigger_event.label("event"),
        projects.c.name.label("project"),
        plans.c.name.label("plan"),
    )
    .join(projects, projects.c.id == runs.c.project_id)
    .join(plans, plans.c.id == runs.c.plan_id)
    .where(runs.c.id == bindparam("run"))
)


class AboutRun(NamedTuple):
    """What names of groups are made of; `values` are by GROUP_VALUES."""

    project_id: int
    plan_id: int
    values: dict[str, str]


class Turn(NamedTuple):
    """What a run waits for: its group's name, and the runs of it that are under way."""

    group: str
    holders: tuple[int, ...]


class Place(NamedTuple):
    """What a run's place means to others of its group: those that it supersedes, or the younger one that supersedes it."""

    superseded: Sequence[int] = ()
    by: int | None = None


def about_run(connection: Connection, run_id: int) -> AboutRun:
    """Of one run."""
    row = connection.execute(_ABOUT, {"run": run_id}).one()
    values = {key: getattr(row, key) or "" for key in GROUP_VALUES}
    # The name of a pull request's branch is a stranger's: it takes no turn among the repository's own.
    values["branch"] = track_of(row.ref, row.branch, row.from_fork) or ""
    return AboutRun(row.project_id, row.plan_id, values)


def take_place(connection: Connection, run_id: int, plan: Plan) -> Place:
    """Note the run's priority and its place in its group. A run that came before another never supersedes that one.

    The group stays locked until the transaction ends, so that two runs cannot both be the next.
    """
    if plan.concurrency is None and plan.max_parallel is None:
        if plan.priority:
            connection.execute(_SET, {"run": run_id, "rank": plan.priority, "name": None, "most": None})
        return Place()
    about = about_run(connection, run_id)
    name, most = f"plan {about.plan_id}", plan.max_parallel or 1
    if plan.concurrency is not None:
        name = f"project {about.project_id}: {resolve_group(plan.concurrency.group, about.values)}"
    connection.execute(_SET, {"run": run_id, "rank": plan.priority, "name": name, "most": most})
    _take_last_place(connection, run_id, name)
    if plan.concurrency is None or not plan.concurrency.cancel_superseded:
        return Place()
    these = {"name": name, "run": run_id}
    younger = connection.execute(_YOUNGEST, these).scalar()
    return Place(connection.execute(_OLDER, these).scalars().all() if younger is None else (), younger)


def take_place_again(connection: Connection, run_id: int) -> None:
    """A run that had ended goes on: behind all of its group that have not ended. To be called while it still has."""
    name = connection.execute(_TURN, {"run": run_id}).one().concurrency
    if name is not None:
        _take_last_place(connection, run_id, name)


def _take_last_place(connection: Connection, run_id: int, name: str) -> int:
    lock_group(connection, name)
    place = (connection.execute(_LAST_PLACE, {"name": name}).scalar() or 0) + 1
    connection.execute(_SET_PLACE, {"run": run_id, "at": place})
    return place


def lock_group(connection: Connection, name: str) -> None:
    """Keep every other transaction from giving turns in this group."""
    connection.execute(_NEW_GROUP, {"name": name})
    connection.execute(_LOCK_GROUP, {"name": name})


def turn_of(connection: Connection, run_id: int) -> Turn | None:
    """What a run waits for; None when it has its turn, or needs none."""
    name, turns, place = connection.execute(_TURN, {"run": run_id}).one()
    if name is None:
        return None
    before = connection.execute(_BEFORE, {"name": name, "run": run_id, "place": place}).scalars().all()
    return Turn(name, tuple(before[:turns])) if len(before) >= turns else None


def next_in_turn(connection: Connection, run_id: int) -> Sequence[int]:
    """A run has ended: the runs of its group that may be under way now, those that are already among them."""
    name, turns, _ = connection.execute(_TURN, {"run": run_id}).one()
    if name is None:
        return ()
    lock_group(connection, name)
    return connection.execute(_FIRST, {"name": name, "turns": turns}).scalars().all()
