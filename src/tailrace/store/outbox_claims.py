"""What is to be sent now: claimed by one server at a time, then ended or put off."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, case, func, literal_column, select, update

from tailrace.domain.channels import CHANNEL_SETTINGS, REPEATABLE, ForgeSettings, MessageSettings
from tailrace.domain.notifications import What
from tailrace.domain.states import NotificationState
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.tables import channel as channels
from tailrace.store.tables import outbox, outbox_pending


class Due(NamedTuple):
    """A claimed notification with its channel; `age_ms` is for how long it has waited, `sealed` the channel's secrets."""

    id: int
    by: str
    channel_id: int
    settings: MessageSettings | ForgeSettings
    sealed: bytes | None
    run_id: int
    what: What
    detail: str | None
    attempts: int
    changes: int
    told: dict[str, str]
    created_at: int
    age_ms: int


_FREE = outbox_pending & (outbox.c.next_at <= now_ms()) & outbox.c.claimed_until.is_(None)
_LAPSED = outbox_pending & (outbox.c.claimed_until < now_ms())
_CLAIMED = select(outbox.c.channel_id).where(outbox_pending, outbox.c.claimed_until.is_not(None))
_ANY_DUE = select(outbox.c.id).where(outbox_pending, outbox.c.next_at <= now_ms()).limit(1)
_OF_REPEATABLE = select(channels.c.id).where(
    channels.c.kind.in_([literal_column(f"'{kind}'") for kind in REPEATABLE])
)
_NO_CLAIM: dict[str, Any] = {"claimed_until": None, "claimed_by": None}
_LOST_WORDS = "the server that sent it ended before an answer came: it may have arrived"


def anything_due(connection: Connection) -> bool:
    """Whether it is worth a turn of the writer to claim."""
    return connection.execute(_ANY_DUE).first() is not None


def claim_due(connection: Connection, by: str, claim_ms: int, limit: int, busy: Collection[int]) -> list[Due]:
    """Claim the oldest of each channel that is due, of at most `limit` channels, none of them `busy` or claimed by another.

    A claim that ran out belonged to a server that ended: what its receiver would know again is free, of the rest nobody
    knows whether it arrived.
    """
    lost = update(outbox).where(_LAPSED)
    connection.execute(lost.where(outbox.c.channel_id.in_(_OF_REPEATABLE)).values(_NO_CLAIM))
    connection.execute(
        lost.values(state=NotificationState.UNSURE, ended_at=now_ms(), last_error=_LOST_WORDS, **_NO_CLAIM)
    )
    ids = [row.oldest for row in _oldest(connection, limit, busy, None)]
    if not ids:
        return []
    now = read_clock(connection)
    mine = (
        update(outbox)
        .where(outbox.c.id.in_(ids), _FREE)
        .values(claimed_until=now + claim_ms, claimed_by=by, attempts=outbox.c.attempts + 1)
        .returning(outbox.c.id)
    )
    claimed = list(connection.execute(mine).scalars())
    rows = connection.execute(
        select(outbox, channels.c.settings, channels.c.secrets)
        .join(channels, channels.c.id == outbox.c.channel_id)
        .where(outbox.c.id.in_(claimed))
        .order_by(outbox.c.id)
    )
    return [
        Due(
            id=row.id,
            by=by,
            channel_id=row.channel_id,
            settings=CHANNEL_SETTINGS.validate_python(row.settings),
            sealed=row.secrets,
            run_id=row.run_id,
            what=What(row.what),
            detail=row.detail,
            attempts=row.attempts,
            changes=row.changes,
            told=row.told or {},
            created_at=row.created_at,
            age_ms=now - row.created_at,
        )
        for row in rows
    ]


def _oldest(
    connection: Connection, limit: int, busy: Collection[int], only: Collection[int] | None
) -> Sequence[Row[*tuple[Any, ...]]]:
    """The oldest that is due of each channel of which nothing is claimed, and whose row this transaction has locked then.

    Without the lock another server could claim a younger one of the same channel at the same time.
    """
    oldest = (
        select(outbox.c.channel_id, func.min(outbox.c.id).label("oldest"))
        .where(_FREE, outbox.c.channel_id.not_in(list(busy)), outbox.c.channel_id.not_in(_CLAIMED))
        .group_by(outbox.c.channel_id)
        .order_by(func.min(outbox.c.id))
        .limit(limit)
    )
    if only is not None:
        return connection.execute(oldest.where(outbox.c.channel_id.in_(only))).all()
    wanted = [row.channel_id for row in connection.execute(oldest)]
    if not wanted:
        return []
    # NO KEY UPDATE: whoever adds a message to a channel does not wait for it.
    lock = select(channels.c.id).where(channels.c.id.in_(wanted)).order_by(channels.c.id)
    locked = connection.execute(lock.with_for_update(key_share=True)).scalars().all()
    return _oldest(connection, limit, busy, locked)


def end_sent(connection: Connection, due: Due, told: Mapping[str, str] | None = None) -> bool:
    """It has arrived; one that was asked for anew meanwhile is pending again. False when the claim was lost."""
    again = outbox.c.changes != due.changes
    return _end(
        connection,
        due,
        state=case((again, NotificationState.PENDING.value), else_=NotificationState.SENT.value),
        ended_at=case((again, None), else_=now_ms()),
        attempts=case((again, 0), else_=outbox.c.attempts),
        next_at=now_ms(),
        last_error=None,
        **({} if told is None else {"told": dict(told)}),
    )


def end_failed(
    connection: Connection,
    due: Due,
    state: NotificationState,
    error: str,
    told: Mapping[str, str] | None = None,
) -> bool:
    """It is not sent again (`failed` or `unsure`); False when the claim was lost."""
    more = {} if told is None else {"told": dict(told)}
    return _end(connection, due, state=state, ended_at=now_ms(), last_error=error, **more)


def put_off(
    connection: Connection,
    due: Due,
    wait_ms: int,
    error: str | None,
    *,
    counts: bool = True,
    told: Mapping[str, str] | None = None,
) -> bool:
    """Try it again after `wait_ms`; one that does not count was no attempt. False when the claim was lost."""
    more: dict[str, Any] = {} if told is None else {"told": dict(told)}
    if counts:
        more["last_error"] = error
    else:
        more["attempts"] = outbox.c.attempts - 1
    return _end(connection, due, next_at=read_clock(connection) + wait_ms, **more)


def release(connection: Connection, due: Due, told: Mapping[str, str] | None = None) -> bool:
    """Whoever claimed it does not send it: another may at once."""
    return put_off(connection, due, 0, None, counts=False, told=told)


_MINE = outbox_pending & (outbox.c.id == bindparam("due")) & (outbox.c.claimed_by == bindparam("who"))


def _end(connection: Connection, due: Due, **values: Any) -> bool:
    statement = update(outbox).where(_MINE).values({**values, **_NO_CLAIM})
    return connection.execute(statement, {"due": due.id, "who": due.by}).rowcount == 1
