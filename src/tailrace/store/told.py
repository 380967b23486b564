"""Changes that have no head, such as what happens to a pull request: told once, however many webhooks tell of them."""

from __future__ import annotations

from sqlalchemy import Connection, delete
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from tailrace.store.clock import read_clock
from tailrace.store.tables import told

WITHIN_MS = 60 * 1000
"""The same that is told later has happened again."""


def tell_once(connection: Connection, project_id: int, what: str) -> bool:
    """Note that `what` was told; whether nobody had for a minute. To be called in the transaction that makes the runs."""
    now = read_clock(connection)
    connection.execute(delete(told).where(told.c.project_id == project_id, told.c.at <= now - WITHIN_MS))
    # SQLAlchemy has this clause for each database, and not for both.
    kind = sqlite_insert if connection.dialect.name == "sqlite" else postgres_insert
    new = kind(told).values(project_id=project_id, what=what, at=now).on_conflict_do_nothing()
    return connection.execute(new.returning(told.c.at)).first() is not None


def forget_told(connection: Connection, project_id: int, what: str) -> None:
    """When `what` is told the next time, it has happened again."""
    connection.execute(delete(told).where(told.c.project_id == project_id, told.c.what == what))
