"""Pauses: what people keep from being leased for a while, with who and why."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from tailrace.store.clock import read_clock
from tailrace.store.tables import pause as pauses

QUEUE = "queue"
"""The whole queue; a project's part of it is `project/ID`."""


class Pause(NamedTuple):
    """`scope` gets nothing leased; `at` is in ms."""

    scope: str
    by: str
    why: str | None
    at: int


_ALL = select(pauses).order_by(pauses.c.scope)
_SCOPES = select(pauses.c.scope)


def pause(connection: Connection, scope: str, by: str, why: str | None) -> None:
    """Pause; who pauses again takes the place of who did before."""
    resume(connection, scope)
    connection.execute(insert(pauses).values(scope=scope, by=by, why=why, at=read_clock(connection)))


def resume(connection: Connection, scope: str) -> None:
    """End a pause; one that is not there is no error."""
    connection.execute(delete(pauses).where(pauses.c.scope == scope))


def list_pauses(connection: Connection) -> list[Pause]:
    """All pauses."""
    return [Pause(*row) for row in connection.execute(_ALL)]


def paused_scopes(connection: Connection) -> set[str]:
    """What is paused now."""
    return set(connection.execute(_SCOPES).scalars())
