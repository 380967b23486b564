"""The inbox: every webhook that verified, kept before anything acts on it, and the last refusals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from tailrace.domain.model import RefusalView
from tailrace.domain.triggers import DeliveryView, Outcome
from tailrace.store.clock import now_ms
from tailrace.store.tables import delivery as deliveries
from tailrace.store.tables import refusal as refusals
from tailrace.store.tables import run as runs

REFUSALS_KEPT = 100

_NOTE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery"))
    .values(state=bindparam("as"), detail=bindparam("why"), outcomes=bindparam("made"))
)


@dataclass(frozen=True)
class NewDelivery:
    """A webhook to keep; `body` is zlib-compressed, or lies in the file `body_file`."""

    project_id: int
    source: str
    key: str | None
    event: str | None
    headers: dict[str, str]
    body: bytes | None
    body_file: str | None
    state: str
    detail: str | None


def add_delivery(connection: Connection, new: NewDelivery) -> int:
    """The id of the kept delivery."""
    return connection.execute(
        insert(deliveries).values(**vars(new), received_at=now_ms()).returning(deliveries.c.id)
    ).scalar_one()


def note_outcomes(
    connection: Connection, id: int, state: str, detail: str | None, outcomes: Iterable[Outcome]
) -> None:
    """What came of the delivery, and what each trigger made of it."""
    made = [one.model_dump() for one in outcomes] or None
    connection.execute(_NOTE, {"delivery": id, "as": state, "why": detail, "made": made})


def find_delivery(connection: Connection, project_id: int, source: str, key: str) -> DeliveryView | None:
    """The delivery that came with this key before."""
    found = connection.execute(
        select(deliveries.c.id).where(
            deliveries.c.project_id == project_id, deliveries.c.source == source, deliveries.c.key == key
        )
    ).scalar()
    return None if found is None else _views(connection, deliveries.c.id == found)[0]


def list_deliveries(
    connection: Connection, project_id: int | None = None, before: int | None = None, limit: int = 50
) -> list[DeliveryView]:
    """Newest first; `before` is the cursor."""
    wanted = deliveries.c.id > 0
    if project_id is not None:
        wanted &= deliveries.c.project_id == project_id
    if before is not None:
        wanted &= deliveries.c.id < before
    return _views(connection, wanted, limit)


def add_refusal(connection: Connection, project: str, source: str, why: str, headers: dict[str, str]) -> None:
    """Keep the headers of a refused webhook, and of the last hundred only: a body that nobody signed is not kept."""
    newest = connection.execute(
        insert(refusals)
        .values(project=project, source=source, why=why, headers=headers, refused_at=now_ms())
        .returning(refusals.c.id)
    ).scalar_one()
    connection.execute(delete(refusals).where(refusals.c.id <= newest - REFUSALS_KEPT))


def list_refusals(connection: Connection) -> list[RefusalView]:
    """The refusals that are kept, newest first."""
    rows = connection.execute(select(refusals).order_by(refusals.c.id.desc()))
    return [RefusalView.model_validate(row) for row in rows.mappings()]


def _views(connection: Connection, wanted: object, limit: int = 1) -> list[DeliveryView]:
    rows = connection.execute(
        select(
            deliveries.c.id,
            deliveries.c.project_id,
            deliveries.c.source,
            deliveries.c.event,
            deliveries.c.key,
            deliveries.c.state,
            deliveries.c.detail,
            deliveries.c.outcomes,
            deliveries.c.received_at,
            deliveries.c.removed_at,
        )
        .where(wanted)  # type: ignore[arg-type]
        .order_by(deliveries.c.id.desc())
        .limit(limit)
    ).all()
    started: dict[int, list[int]] = {}
    ids = [row.id for row in rows]
    for run_id, delivery_id in connection.execute(
        select(runs.c.id, runs.c.delivery_id).where(runs.c.delivery_id.in_(ids)).order_by(runs.c.id)
    ):
        started.setdefault(delivery_id, []).append(run_id)
    return [
        DeliveryView(
            id=row.id,
            project=row.project_id,
            source=row.source,
            event=row.event,
            key=row.key,
            state=row.state,
            detail=row.detail,
            runs=tuple(started.get(row.id, ())),
            outcomes=None if row.outcomes is None else tuple(map(Outcome.model_validate, row.outcomes)),
            received_at=row.received_at,
            removed_at=row.removed_at,
        )
        for row in rows
    ]
