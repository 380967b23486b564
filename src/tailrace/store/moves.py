"""A state machine's move as a guarded UPDATE: the database refuses what the table refuses."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, select, update

from tailrace.domain.errors import MoveRefused, NotFound
from tailrace.domain.states import Machine

S = TypeVar("S", bound=StrEnum)


def move(
    connection: Connection, table: Table, machine: Machine[S], id: int, verb: str, **values: Any
) -> None:
    """Move row `id` by `verb`, setting `values` too; raises MoveRefused from a wrong state, NotFound without a row."""
    if move_all(connection, table, machine, [id], verb, **values):
        return
    state = connection.execute(select(table.c.state).where(table.c.id == id)).scalar()
    if state is None:
        raise NotFound(table.name, id)
    raise MoveRefused(f"{table.name} {id}", state, verb)


def move_all(
    connection: Connection, table: Table, machine: Machine[S], ids: Iterable[int], verb: str, **values: Any
) -> list[int]:
    """Move those of the rows `ids` whose state allows `verb`; returns the ids that moved."""
    wanted = list(ids)
    if not wanted:
        return []
    guarded = (
        update(table)
        .where(table.c.id.in_(wanted), table.c.state.in_(machine.sources(verb)))
        .values(state=machine.target(verb), **values)
        .returning(table.c.id)
    )
    return sorted(connection.execute(guarded).scalars())
