"""A state machine's move as a guarded UPDATE: the database refuses what the table refuses."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, bindparam, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from tailrace.domain.errors import MoveRefused, NotFound
from tailrace.domain.states import Machine
from tailrace.store.clock import now_ms

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
    by_clock = frozenset(name for name, value in values.items() if isinstance(value, now_ms))
    given = {name: value for name, value in values.items() if name not in by_clock}
    guarded = _guarded(table, machine.sources(verb), machine.target(verb), frozenset(given), by_clock)
    return sorted(connection.execute(guarded, {**given, "wanted": wanted}).scalars())


@cache
def _guarded(
    table: Table,
    sources: tuple[StrEnum, ...],
    target: StrEnum,
    given: frozenset[str],
    by_clock: frozenset[str],
) -> ReturningUpdate[int]:
    """The statement of a move, built once: building it takes several times as long as executing it."""
    values: dict[str, Any] = {name: bindparam(name, type_=table.c[name].type) for name in sorted(given)}
    values |= {name: now_ms() for name in sorted(by_clock)}
    return (
        update(table)
        .where(
            table.c.id.in_(bindparam("wanted", expanding=True)),
            table.c.state.in_([state.value for state in sources]),
        )
        .values(state=target.value, **values)
        .returning(table.c.id)
    )
