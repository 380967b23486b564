"""Segments: what of a log the archive holds, who is sealing it, and what has to go from the archive."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from tailrace.domain.states import LOG, LogState
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.tables import artifact as artifacts
from tailrace.store.tables import artifact_kept, log_unsealed
from tailrace.store.tables import log as logs
from tailrace.store.tables import orphan as orphans
from tailrace.store.tables import segment as segments

_ENDED = (LogState.CLOSED.value, LogState.TRUNCATED.value)


class SegmentRow(NamedTuple):
    """A segment that the archive holds: the log's bytes [start, stop); the table's comments say what the rest is."""

    number: int
    start: int
    stop: int
    first_line: int
    lines: int
    first_time: int
    last_time: int
    size: int
    sha256: str
    crc32: int
    key: str


class SealedPart(NamedTuple):
    """What segments hold of a log; `whole` when it is all of it. `size` as in the log's row."""

    state: LogState
    size: int | None
    crc32: int | None
    whole: bool
    removed_at: int | None
    removed_why: str | None
    segments: tuple[SegmentRow, ...]


class SealWork(NamedTuple):
    """A claimed log: it is sealed up to `sealed`, where `last` ends; `size` None: it still grows.

    `key` is for its next segment. It is written down as an orphan before its object is, so that no crash leaves an object
    that nobody knows.
    """

    log_id: int
    size: int | None
    sealed: int
    last: SegmentRow | None
    key: str

    @property
    def whole(self) -> bool:
        """All of it is sealed."""
        return self.size is not None and self.size <= self.sealed


class Waiting(NamedTuple):
    """What has ended and is not yet in the archive: how many logs and bytes, and since when (ms) the oldest waits."""

    logs: int
    bytes: int
    since: int | None


_SEGMENT_COLUMNS = [segments.c[name] for name in SegmentRow._fields]
_CLAIMED = and_(logs.c.id == bindparam("log"), logs.c.claimed_by == bindparam("server"))
_FIND = select(
    logs.c.state, logs.c.size, logs.c.crc32, logs.c.sealed_at, logs.c.removed_at, logs.c.removed_why
).where(logs.c.id == bindparam("log"))
_FIND_SEGMENTS = (
    select(*_SEGMENT_COLUMNS)
    .where(segments.c.log_id == bindparam("log"), segments.c.number >= bindparam("known"))
    .order_by(segments.c.number)
)
_DROP_ORPHAN = delete(orphans).where(orphans.c.key == bindparam("the_key"))
_MOVE_SEALED = (
    update(logs)
    .where(
        _CLAIMED,
        logs.c.sealed == bindparam("start"),
        logs.c.state.in_((*_ENDED, LogState.OPEN.value)),
    )
    .values(sealed=bindparam("stop"))
    .returning(logs.c.size)
)
_ADD_SEGMENT = insert(segments).values(
    created_at=now_ms(), **{name: bindparam(name) for name in ("log_id", *SegmentRow._fields)}
)
_FINISH = (
    update(logs)
    .where(_CLAIMED, logs.c.sealed >= logs.c.size, log_unsealed)
    .values(
        # A truncated log stays truncated.
        state=case((logs.c.state.in_(LOG.sources("seal")), LOG.target("seal").value), else_=logs.c.state),
        sealed_at=now_ms(),
        claimed_until=None,
        claimed_by=None,
    )
)


def _free(wanted: ColumnElement[bool]) -> Select[int]:
    """Logs that nobody seals now; locked."""
    free = or_(logs.c.claimed_until.is_(None), logs.c.claimed_until < bindparam("now"))
    return (
        select(logs.c.id)
        .where(log_unsealed, wanted, free)
        .order_by(logs.c.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


_THESE_LOGS = logs.c.id.in_(bindparam("logs", expanding=True))
_DUE = or_(logs.c.size >= bindparam("large"), logs.c.closed_at <= bindparam("before"))
_FREE_ENDED = _free(and_(logs.c.state.in_(_ENDED), _DUE))
_FREE_GROWING = _free(and_(logs.c.state == LogState.OPEN.value, _THESE_LOGS))
_TAKE = (
    update(logs).where(_THESE_LOGS).values(claimed_until=bindparam("until"), claimed_by=bindparam("server"))
)
_RENEW = (
    update(logs)
    .where(_THESE_LOGS, logs.c.claimed_by == bindparam("server"))
    .values(claimed_until=bindparam("until"))
)
_WORK = (
    select(logs.c.id.label("log"), logs.c.size.label("log_size"), logs.c.sealed, *_SEGMENT_COLUMNS)
    .outerjoin(segments, and_(segments.c.log_id == logs.c.id, segments.c.stop == logs.c.sealed))
    .where(_THESE_LOGS)
    .order_by(logs.c.id)
)


def find_sealed(connection: Connection, log_id: int, known: int = 0) -> SealedPart | None:
    """What is sealed of a log, without its first `known` segments; None for an unknown log."""
    row = connection.execute(_FIND, {"log": log_id}).first()
    if row is None:
        return None
    found = connection.execute(_FIND_SEGMENTS, {"log": log_id, "known": known})
    return SealedPart(
        LogState(row.state),
        row.size,
        row.crc32,
        row.sealed_at is not None,
        row.removed_at,
        row.removed_why,
        tuple(SegmentRow._make(one) for one in found),
    )


def claim_ended(
    connection: Connection, server: str, claim_ms: int, limit: int, *, large: int, delay_ms: int
) -> list[SealWork]:
    """Claim up to `limit` logs that have ended: those of `large` bytes at once, smaller ones after `delay_ms`."""
    now = read_clock(connection)
    wanted = {"now": now, "most": limit, "large": large, "before": now - delay_ms}
    ids = connection.execute(_FREE_ENDED, wanted).scalars().all()
    return _claim(connection, server, now, claim_ms, ids)


def claim_growing(
    connection: Connection, server: str, claim_ms: int, log_ids: Sequence[int]
) -> list[SealWork]:
    """Claim those of these logs that still grow."""
    now = read_clock(connection)
    wanted = {"now": now, "most": len(log_ids), "logs": list(log_ids)}
    ids = connection.execute(_FREE_GROWING, wanted).scalars().all()
    return _claim(connection, server, now, claim_ms, ids)


def renew_seal_claims(connection: Connection, server: str, log_ids: Sequence[int], claim_ms: int) -> None:
    """These logs are still being sealed by this server."""
    until = read_clock(connection) + claim_ms
    connection.execute(_RENEW, {"logs": list(log_ids), "server": server, "until": until})


def release_seal_claims(
    connection: Connection, server: str, log_ids: Sequence[int], unused_keys: Sequence[str] = ()
) -> None:
    """Others may seal these logs; nothing was put into the archive under these keys."""
    if unused_keys:
        connection.execute(delete(orphans).where(orphans.c.key.in_(unused_keys)))
    claimed = and_(logs.c.id.in_(log_ids), logs.c.claimed_by == server)
    connection.execute(update(logs).where(claimed).values(claimed_until=None, claimed_by=None))


def add_segment(connection: Connection, server: str, log_id: int, row: SegmentRow) -> SealWork | None:
    """The archive holds this segment; the log is sealed with its last one.

    Returns what is left to do; None when the claim was lost or the log began anew: then nothing has changed.
    """
    if not claim_orphan(connection, row.key):
        return None  # it took so long that the object was taken away as nobody's
    moved = connection.execute(
        _MOVE_SEALED, {"log": log_id, "server": server, "start": row.start, "stop": row.stop}
    ).first()
    if moved is None:
        add_orphans(connection, [row.key], at=0)
        return None
    connection.execute(_ADD_SEGMENT, {"log_id": log_id, **row._asdict()})
    left = SealWork(log_id, moved.size, row.stop, row, _new_key(log_id, row.number + 1))
    if left.whole:
        finish_sealing(connection, server, log_id)
    else:
        add_orphans(connection, [left.key], at=read_clock(connection))
    return left


def finish_sealing(connection: Connection, server: str, log_id: int) -> bool:
    """The archive holds all of a log that has ended; False when it is not so, or the claim was lost."""
    return connection.execute(_FINISH, {"log": log_id, "server": server}).rowcount > 0


def unseal(connection: Connection, log_id: int) -> bool:
    """An open log begins anew: forget its segments; their objects become orphans. False when it had none."""
    connection.execute(
        update(logs)
        .where(logs.c.id == log_id, logs.c.state == LogState.OPEN.value)
        .values(sealed=0, claimed_until=None, claimed_by=None)
    )
    return forget_segments(connection, log_id)


def forget_segments(connection: Connection, log_id: int) -> bool:
    """Delete a log's segments; their objects become orphans. False when it had none."""
    of_log = segments.c.log_id == log_id
    keys = list(connection.execute(select(segments.c.key).where(of_log)).scalars())
    add_orphans(connection, keys, at=0)
    connection.execute(delete(segments).where(of_log))
    return bool(keys)


def touch_orphan(connection: Connection, key: str) -> bool:
    """Its object is still being put there; False when it was taken away as nobody's."""
    fresh = update(orphans).where(orphans.c.key == key).values(created_at=read_clock(connection))
    return connection.execute(fresh).rowcount > 0


def claim_orphan(connection: Connection, key: str) -> bool:
    """Something names it from now on; False when it was taken away as nobody's."""
    return connection.execute(_DROP_ORPHAN, {"the_key": key}).rowcount > 0


def find_orphans(connection: Connection, limit: int, age_ms: int) -> list[str]:
    """Keys of objects that have to go: at once what was taken away, after `age_ms` what was never finished."""
    before = read_clock(connection) - age_ms
    old = select(orphans.c.key).where(orphans.c.created_at <= before)
    return list(connection.execute(old.order_by(orphans.c.created_at).limit(limit)).scalars())


def forget_orphans(connection: Connection, keys: Sequence[str]) -> None:
    """These objects are gone."""
    connection.execute(delete(orphans).where(orphans.c.key.in_(keys)))


def archive_in_use(connection: Connection) -> bool:
    """Whether the archive must hold anything."""
    held = (select(segments.c.log_id), select(artifacts.c.id).where(artifact_kept))
    return any(connection.execute(query.limit(1)).first() is not None for query in held)


def count_waiting(connection: Connection) -> Waiting:
    """What has ended and is not yet in the archive."""
    row = connection.execute(
        select(func.count(), func.sum(logs.c.size - logs.c.sealed), func.min(logs.c.closed_at)).where(
            log_unsealed, logs.c.state.in_(_ENDED)
        )
    ).one()
    return Waiting(row[0], int(row[1] or 0), row[2])


def sealed_among(connection: Connection, log_ids: Sequence[int]) -> list[int]:
    """Those of these logs that the archive holds wholly."""
    wanted = select(logs.c.id).where(logs.c.id.in_(log_ids), logs.c.sealed_at.is_not(None))
    return list(connection.execute(wanted).scalars())


def _claim(
    connection: Connection, server: str, now: int, claim_ms: int, ids: Sequence[int]
) -> list[SealWork]:
    if not ids:
        return []
    connection.execute(_TAKE, {"logs": list(ids), "server": server, "until": now + claim_ms})
    rows = connection.execute(_WORK, {"logs": list(ids)})
    claimed: list[SealWork] = []
    for row in rows:
        last = None if row.number is None else SegmentRow._make(tuple(row)[3:])
        key = _new_key(row.log, 0 if last is None else last.number + 1)
        claimed.append(SealWork(row.log, row.log_size, row.sealed, last, key))
    add_orphans(connection, [work.key for work in claimed if not work.whole], at=now)
    return claimed


def _new_key(log_id: int, number: int) -> str:
    return f"{log_id // 1000}/{log_id}-{number:05}-{secrets.token_hex(4)}.zst"


def add_orphans(connection: Connection, keys: Sequence[str], at: int) -> None:
    """Objects that have to go unless something names them: at once (`at` 0), or when they have waited since `at` (ms) too long."""
    if keys:
        connection.execute(insert(orphans), [{"key": key, "created_at": at} for key in keys])
