"""What people call runs: `PROJECT#NUMBER`. A bare number in a message is an id."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs

_NAMES = (
    select(runs.c.id, runs.c.number, projects.c.name)
    .join(projects, projects.c.id == runs.c.project_id)
    .where(runs.c.id.in_(bindparam("ids", expanding=True)))
)


def run_numbers(connection: Connection, ids: Sequence[int]) -> list[int]:
    """The numbers of these runs in their projects, in their order; all must be known."""
    numbers = {row.id: row.number for row in connection.execute(_NAMES, {"ids": list(ids)})}
    return [numbers[id] for id in ids]


def run_names(connection: Connection, ids: Sequence[int]) -> list[str]:
    """The names of these runs, in their order; all must be known."""
    names = {row.id: f"{row.name}#{row.number}" for row in connection.execute(_NAMES, {"ids": list(ids)})}
    return [names[id] for id in ids]
