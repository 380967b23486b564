"""The inbox: every webhook that verified, kept before anything acts on it, and the last refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, true, update

from tailrace.domain.deliveries import DeliveryView, OutcomeView, ReplayView
from tailrace.domain.errors import NotFound
from tailrace.domain.model import RefusalView
from tailrace.domain.triggers import Outcome
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.tables import delivery as deliveries
from tailrace.store.tables import delivery_body as bodies
from tailrace.store.tables import delivery_kept
from tailrace.store.tables import project as projects
from tailrace.store.tables import refusal as refusals
from tailrace.store.tables import replay as replays
from tailrace.store.tables import run as runs

REFUSALS_KEPT = 100
ASTRAY_MS = 60 * 1000
"""By how much the order in which deliveries came may differ from that of their ids."""
_DAY_MS = 24 * 3600 * 1000

INLINE_BYTES = 64 * 1024
"""Bodies above this, compressed, have a row of their own, so that lists of deliveries do not pass over them."""

_ADD = insert(deliveries).values(received_at=now_ms()).returning(deliveries.c.id)
_NOTE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery"))
    .values(state=bindparam("as"), detail=bindparam("why"), outcomes=bindparam("made"))
)
_SAME = select(deliveries.c.id).where(
    deliveries.c.project_id == bindparam("project"),
    deliveries.c.source == bindparam("from"),
    deliveries.c.key == bindparam("its"),
)


@dataclass(frozen=True)
class NewDelivery:
    """A webhook to keep; `body` is zlib-compressed, or (of an older version) lies in the file `body_file`."""

    project_id: int
    source: str
    key: str | None
    event: str | None
    headers: dict[str, str]
    body: bytes | None
    body_file: str | None
    state: str
    detail: str | None


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries to list; `since` and `until` in ms since the epoch; `before` is the cursor: only ids below it;
    `after` likewise for what is read from the oldest on."""

    project: int | None = None
    state: str | None = None
    source: str | None = None
    event: str | None = None
    since: int | None = None
    until: int | None = None
    ids: tuple[int, ...] | None = None
    before: int | None = None
    after: int | None = None
    limit: int = 50


class StoredDelivery(NamedTuple):
    """What was sent: `body` is zlib-compressed, or lies in the file `body_file`; both are gone when it was `removed_at`."""

    id: int
    project_id: int
    source: str
    headers: dict[str, str]
    body: bytes | None
    body_file: str | None
    removed_at: int | None


class ExpiredDelivery(NamedTuple):
    """A delivery that a rule takes: `why` is a sentence for people."""

    id: int
    project_id: int
    project_name: str
    body_file: str | None
    why: str


def add_delivery(connection: Connection, new: NewDelivery) -> int:
    """The id of the kept delivery."""
    if new.body is None or len(new.body) <= INLINE_BYTES:
        return connection.execute(_ADD, vars(new)).scalar_one()
    id = connection.execute(_ADD, {**vars(new), "body": b""}).scalar_one()
    connection.execute(insert(bodies).values(delivery_id=id, packed=new.body))
    return id


def note_outcomes(
    connection: Connection, id: int, state: str, detail: str | None, outcomes: Iterable[Outcome]
) -> None:
    """What came of the delivery, and what each trigger made of it."""
    connection.execute(_NOTE, {"delivery": id, "as": state, "why": detail, "made": _stored(outcomes)})


def add_replay(
    connection: Connection, id: int, by: str, state: str, detail: str | None, outcomes: Iterable[Outcome]
) -> int:
    """Note that `by` had the delivery acted on again, and what came of it; the replay's id."""
    values = {"delivery_id": id, "by": by, "state": state, "detail": detail, "outcomes": _stored(outcomes)}
    return connection.execute(
        insert(replays).values(**values, at=now_ms()).returning(replays.c.id)
    ).scalar_one()


def find_delivery(connection: Connection, project_id: int, source: str, key: str) -> DeliveryView | None:
    """The delivery that came with this key before."""
    found = connection.execute(_SAME, {"project": project_id, "from": source, "its": key}).scalar()
    return None if found is None else get_delivery(connection, found)


def get_delivery(connection: Connection, id: int) -> DeliveryView:
    """Raises NotFound."""
    found = _views(connection, deliveries.c.id == id)
    if not found:
        raise NotFound("delivery", id)
    return found[0]


def get_stored(connection: Connection, id: int) -> StoredDelivery:
    """What was sent; raises NotFound."""
    columns = [deliveries.c[name] for name in StoredDelivery._fields if name != "body"]
    body = func.coalesce(bodies.c.packed, deliveries.c.body).label("body")
    both = select(*columns[:4], body, *columns[4:]).outerjoin(bodies, bodies.c.delivery_id == deliveries.c.id)
    row = connection.execute(both.where(deliveries.c.id == id)).first()
    if row is None:
        raise NotFound("delivery", id)
    return StoredDelivery._make(row)


def list_replays(connection: Connection, id: int) -> list[ReplayView]:
    """How often the delivery was acted on again, the oldest first."""
    query = select(replays).where(replays.c.delivery_id == id).order_by(replays.c.id)
    numbers = dict(_started(connection, [id]).get(id, ()))
    return [
        ReplayView(
            id=row.id,
            by=row.by,
            at=row.at,
            state=row.state,
            detail=row.detail,
            outcomes=_outcomes(row.outcomes, numbers),
        )
        for row in connection.execute(query)
    ]


def list_deliveries(connection: Connection, wanted: DeliveryFilter) -> list[DeliveryView]:
    """Newest first."""
    return _views(connection, _condition(connection, wanted), wanted.limit)


def find_replayable(connection: Connection, wanted: DeliveryFilter) -> list[int]:
    """The deliveries whose body is kept, the oldest first."""
    query = select(deliveries.c.id).where(_condition(connection, wanted), delivery_kept)
    return list(connection.execute(query.order_by(deliveries.c.id).limit(wanted.limit)).scalars())


def newest_delivery(connection: Connection) -> int:
    """The id of the one that came last; 0 where there is none."""
    return connection.execute(select(func.max(deliveries.c.id))).scalar() or 0


def find_expired_deliveries(connection: Connection, days: int) -> list[ExpiredDelivery]:
    """Those that came more than `days` ago, the oldest first; none where it is 0."""
    if not days:
        return []
    before = read_clock(connection) - days * _DAY_MS
    rows = connection.execute(
        select(deliveries.c.id, deliveries.c.project_id, projects.c.name, deliveries.c.body_file)
        .join(projects, projects.c.id == deliveries.c.project_id)
        .where(delivery_kept, deliveries.c.received_at <= before)
        .order_by(deliveries.c.received_at)
    )
    why = f"it was kept for {days} days"
    return [ExpiredDelivery(row.id, row.project_id, row.name, row.body_file, why) for row in rows]


def remove_bodies(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Take headers and bodies away, and return of which deliveries. What came of them stays, and the key that tells duplicates."""
    gone: dict[str, Any] = {"removed_at": now_ms(), "headers": {}, "body": b"", "body_file": None}
    kept = deliveries.c.id.in_(ids) & delivery_kept
    connection.execute(delete(bodies).where(bodies.c.delivery_id.in_(ids)))
    return list(
        connection.execute(update(deliveries).where(kept).values(gone).returning(deliveries.c.id)).scalars()
    )


def body_files(connection: Connection, names: Sequence[str]) -> set[str]:
    """Those of these files that belong to a delivery."""
    held = select(deliveries.c.body_file).where(deliveries.c.body_file.in_(names))
    return {name for name in connection.execute(held).scalars() if name is not None}


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


def _condition(connection: Connection, wanted: DeliveryFilter) -> ColumnElement[bool]:
    condition = _between(connection, wanted)
    for column, value in (
        (deliveries.c.project_id, wanted.project),
        (deliveries.c.state, wanted.state),
        (deliveries.c.source, wanted.source),
        (deliveries.c.event, wanted.event),
    ):
        if value is not None:
            condition &= column == value
    if wanted.ids is not None:
        condition &= deliveries.c.id.in_(wanted.ids)
    if wanted.before is not None:
        condition &= deliveries.c.id < wanted.before
    if wanted.after is not None:
        condition &= deliveries.c.id > wanted.after
    return condition


def _between(connection: Connection, wanted: DeliveryFilter) -> ColumnElement[bool]:
    """Those that came from `since` to `until`, also by their ids: lists go by these, and would pass over all the others."""
    condition: ColumnElement[bool] = true()
    at, id = deliveries.c.received_at, deliveries.c.id
    if wanted.since is not None:
        condition &= at >= wanted.since
        before = select(id).where(at < wanted.since - ASTRAY_MS).order_by(at.desc(), id.desc()).limit(1)
        if (last := connection.execute(before).scalar()) is not None:
            condition &= id > last
    if wanted.until is not None:
        condition &= at < wanted.until
        after = select(id).where(at >= wanted.until + ASTRAY_MS).order_by(at, id).limit(1)
        if (first := connection.execute(after).scalar()) is not None:
            condition &= id < first
    return condition


def _views(connection: Connection, wanted: ColumnElement[bool], limit: int = 1) -> list[DeliveryView]:
    newest = select(
        deliveries.c.id,
        deliveries.c.project_id,
        projects.c.name.label("project_name"),
        deliveries.c.source,
        deliveries.c.event,
        deliveries.c.key,
        deliveries.c.state,
        deliveries.c.detail,
        deliveries.c.outcomes,
        deliveries.c.received_at,
        deliveries.c.removed_at,
    ).join(projects, projects.c.id == deliveries.c.project_id)
    rows = connection.execute(newest.where(wanted).order_by(deliveries.c.id.desc()).limit(limit)).all()
    ids = [row.id for row in rows]
    started = _started(connection, ids)
    counted = select(replays.c.delivery_id, func.count()).where(replays.c.delivery_id.in_(ids))
    again = {row[0]: row[1] for row in connection.execute(counted.group_by(replays.c.delivery_id))}
    return [
        DeliveryView(
            id=row.id,
            project=row.project_id,
            project_name=row.project_name,
            source=row.source,
            event=row.event,
            key=row.key,
            state=row.state,
            detail=row.detail,
            runs=tuple(id for id, _ in started.get(row.id, ())),
            run_numbers=tuple(number for _, number in started.get(row.id, ())),
            outcomes=_outcomes(row.outcomes, dict(started.get(row.id, ()))),
            replays=again.get(row.id, 0),
            received_at=row.received_at,
            removed_at=row.removed_at,
        )
        for row in rows
    ]


def _started(connection: Connection, ids: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    """The runs that these deliveries made: id and number, the oldest first."""
    query = select(runs.c.delivery_id, runs.c.id, runs.c.number).where(runs.c.delivery_id.in_(ids))
    started: dict[int, list[tuple[int, int]]] = {}
    for delivery, run, number in connection.execute(query.order_by(runs.c.id)):
        started.setdefault(delivery, []).append((run, number))
    return started


def _stored(outcomes: Iterable[Outcome]) -> list[dict[str, Any]] | None:
    return [one.model_dump() for one in outcomes] or None


def _outcomes(
    stored: list[dict[str, Any]] | None, numbers: Mapping[int, int]
) -> tuple[OutcomeView, ...] | None:
    if stored is None:
        return None
    made = [OutcomeView.model_validate(one) for one in stored]
    return tuple(
        one if one.run is None else one.model_copy(update={"run_number": numbers.get(one.run)})
        for one in made
    )
