"""What looking at triggers needs of the store: claims that go on, when the next is due, heads and secrets of a project."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, or_, select, update

from tailrace.store.clock import read_clock
from tailrace.store.secrets import SealedSecret, secret_row
from tailrace.store.tables import head as heads
from tailrace.store.tables import secret as secrets
from tailrace.store.tables import trigger as triggers
from tailrace.store.tables import trigger_scheduled


def renew_looks(connection: Connection, by: str, ids: Collection[int], claim_ms: int) -> None:
    """`by` still looks at these."""
    held = triggers.c.id.in_(ids) & (triggers.c.claimed_by == by)
    connection.execute(update(triggers).where(held).values(claimed_until=read_clock(connection) + claim_ms))


def release_looks(connection: Connection, by: str, ids: Collection[int]) -> None:
    """`by` looks at these no more: another may at once."""
    held = triggers.c.id.in_(ids) & (triggers.c.claimed_by == by)
    connection.execute(update(triggers).where(held).values(claimed_until=None, claimed_by=None))


def next_look_in(connection: Connection) -> int | None:
    """How many ms from now the next trigger is due that nobody has claimed, less than 0 for one that waits; None: none is."""
    next_at = connection.execute(
        select(triggers.c.next_at)
        .where(trigger_scheduled, triggers.c.enabled, triggers.c.claimed_until.is_(None))
        .order_by(triggers.c.next_at)
        .limit(1)
    ).scalar()
    return None if next_at is None else next_at - read_clock(connection)


def lock_head(connection: Connection, project_id: int, ref: str) -> str | None:
    """Where the ref's head is; it stays there until the transaction ends, unless this one moves it."""
    this = (heads.c.project_id == project_id) & (heads.c.ref == ref)
    return connection.execute(select(heads.c.revision).where(this).with_for_update()).scalar()


def told_revisions(connection: Connection, project_id: int, ref: str) -> frozenset[str]:
    """Where the ref's head is and was, as far as it remembers: runs came of these."""
    this = (heads.c.project_id == project_id) & (heads.c.ref == ref)
    moves = connection.execute(select(heads.c.moves).where(this)).scalar()
    return frozenset(move["to"] for move in moves or ())


def secrets_of_project(
    connection: Connection, project_id: int, names: Collection[str]
) -> dict[str, SealedSecret]:
    """Those of these names that there are; a project's own replaces the one for all."""
    rows = connection.execute(
        select(secrets.c.project_id, secrets.c.name, secrets.c.value).where(
            secrets.c.name.in_(names),
            or_(secrets.c.project_id.is_(None), secrets.c.project_id == project_id),
        )
    ).all()
    return {
        row.name: SealedSecret(row.name, secret_row(row.project_id, row.name), row.value)
        for row in sorted(rows, key=lambda row: row.project_id is not None)
    }
