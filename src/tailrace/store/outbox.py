"""The outbox: what is to be told of runs, written in the transaction in which it happened."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from tailrace.domain.branches import own_branch, track_of
from tailrace.domain.channels import FORGES, ChannelKind
from tailrace.domain.errors import MoveRefused, NotFound
from tailrace.domain.notifications import NotificationView, What, When, covers, what_to_tell
from tailrace.domain.states import NOTIFICATION, REOPEN, NotificationState, RunState
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.moves import move
from tailrace.store.own_branches import run_of_branch
from tailrace.store.tables import channel as channels
from tailrace.store.tables import outbox, outbox_pending, run_verdict
from tailrace.store.tables import project as projects
from tailrace.store.tables import rule as rules
from tailrace.store.tables import run as runs

STATUSES = "statuses"
"""The one occasion of a run under which a forge is told of its jobs."""
_ENDED = "ended@"

_USED = channels.c.enabled & channels.c.removed_at.is_(None)
_RULES = (
    select(
        rules.c.id,
        rules.c.channel_id,
        rules.c.on,
        rules.c.branches,
        runs.c.plan_id,
        runs.c.branch,
        runs.c.ref,
        runs.c.from_fork,
        runs.c.finished_at,
    )
    .join(channels, channels.c.id == rules.c.channel_id)
    .join(runs, runs.c.id == bindparam("run"))
    .where(
        _USED,
        rules.c.enabled,
        rules.c.removed_at.is_(None),
        or_(rules.c.project_id.is_(None), rules.c.project_id == runs.c.project_id),
        or_(rules.c.plan_id.is_(None), rules.c.plan_id == runs.c.plan_id),
    )
    .order_by(rules.c.id)
)
_BEFORE = (
    select(runs.c.state)
    .where(runs.c.plan_id == bindparam("plan"), runs.c.id < bindparam("run"), run_verdict)
    .order_by(runs.c.id.desc())
    .limit(1)
)
_AFTER = (
    select(runs.c.id)
    .where(runs.c.plan_id == bindparam("plan"), runs.c.id > bindparam("run"), run_verdict)
    .limit(1)
)
_TOLD_BEFORE = (
    select(outbox.c.what)
    .where(
        outbox.c.run_id == bindparam("run"),
        outbox.c.channel_id == bindparam("channel"),
        outbox.c.occasion.startswith(_ENDED),
    )
    .order_by(outbox.c.id.desc())
    .limit(1)
)
_OCCASION = select(outbox.c.id).where(
    outbox.c.channel_id == bindparam("channel"),
    outbox.c.run_id == bindparam("run"),
    outbox.c.occasion == bindparam("occasion"),
)
_NEW = insert(outbox).values(
    run_id=bindparam("of_run"),
    project_id=select(runs.c.project_id).where(runs.c.id == bindparam("of_run")).scalar_subquery(),
    state=NotificationState.PENDING,
    next_at=now_ms(),
    created_at=now_ms(),
)
_FORGE_CHANNELS = (
    select(channels.c.id)
    .join(runs, runs.c.project_id == channels.c.project_id)
    .where(
        runs.c.id == bindparam("run"),
        runs.c.revision.is_not(None),
        channels.c.kind.in_([literal_column(f"'{kind}'") for kind in FORGES]),
        _USED,
    )
)
_ASK_ANEW = (
    update(outbox)
    .where(
        outbox.c.channel_id == bindparam("channel"),
        outbox.c.run_id == bindparam("of_run"),
        outbox.c.occasion == STATUSES,
    )
    .values(
        changes=outbox.c.changes + 1,
        # One that the forge does not take now keeps its place: changes do not make it come sooner.
        next_at=case((outbox_pending, outbox.c.next_at), else_=now_ms()),
        attempts=case((outbox_pending, outbox.c.attempts), else_=0),
        state=NotificationState.PENDING,
        ended_at=None,
    )
)


def note_end(connection: Connection, run_id: int, state: RunState) -> None:
    """A run has ended so, in this transaction: what its project's rules ask for is to be sent.

    A channel is told once of it, however many rules name it.
    """
    told: set[int] = set()
    for row in connection.execute(_RULES, {"run": run_id}).all():
        if row.channel_id in told or not covers(row.branches, track_of(row.ref, row.branch, row.from_fork)):
            continue
        what = what_to_tell(row.on, state, _state_before(connection, run_id, row, state))
        if what is not None:
            told.add(row.channel_id)
            _add(connection, row.channel_id, run_id, f"{_ENDED}{row.finished_at}", what, row.id)


def note_waiting(connection: Connection, run_id: int, occasion: str, detail: str) -> None:
    """Something in a run waits for a person, from this transaction on: `detail` says what, in one sentence.

    `occasion` is the same text for the same wait (such as `approval/ID`, 50 characters at most): each is told once.
    """
    told: set[int] = set()
    for row in connection.execute(_RULES, {"run": run_id}).all():
        if (
            row.channel_id not in told
            and When.WAITING in row.on
            and covers(row.branches, track_of(row.ref, row.branch, row.from_fork))
        ):
            told.add(row.channel_id)
            _add(connection, row.channel_id, run_id, f"waiting/{occasion}", What.WAITING, row.id, detail)


def note_progress(connection: Connection, run_id: int) -> None:
    """Jobs of a run may have other states than before: forges that its project tells of them are told what is new.

    The caller holds the run's row.
    """
    for channel_id in connection.execute(_FORGE_CHANNELS, {"run": run_id}).scalars().all():
        if not connection.execute(_ASK_ANEW, {"channel": channel_id, "of_run": run_id}).rowcount:
            _add(connection, channel_id, run_id, STATUSES, What.STATUSES)


def _state_before(
    connection: Connection, run_id: int, row: Row[*tuple[Any, ...]], state: RunState
) -> RunState | None:
    """What this channel's readers believe: what they were told of this very run, or how the one before it ended.

    Where a newer one has ended, how this one ends (`state`) is no news of the branch.
    """
    told = connection.execute(_TOLD_BEFORE, {"run": run_id, "channel": row.channel_id}).scalar()
    if told in (What.PASSED, What.RECOVERED, What.FAILED):
        return RunState.FAILED if told == What.FAILED else RunState.PASSED
    track, known = _on_same_track(row), {"plan": row.plan_id, "run": run_id}
    if connection.execute(_AFTER.where(track), known).first() is not None:
        return state
    before = connection.execute(_BEFORE.where(track), known).scalar()
    return None if before is None else RunState(before)


def _on_same_track(row: Row[*tuple[Any, ...]]) -> ColumnElement[bool]:
    own = own_branch(row.ref, row.branch, row.from_fork)
    if own is not None:
        return run_of_branch(own)
    # `=` finds no null, and IS is not what PostgreSQL's index is used for.
    branch = runs.c.branch.is_(None) if row.branch is None else runs.c.branch == row.branch
    ref = runs.c.ref.is_(None) if row.ref is None else runs.c.ref == row.ref
    return branch & ref & (runs.c.from_fork == row.from_fork)


def _add(
    connection: Connection,
    channel_id: int,
    run_id: int,
    occasion: str,
    what: What,
    rule_id: int | None = None,
    detail: str | None = None,
) -> None:
    known = {"channel": channel_id, "run": run_id, "occasion": occasion}
    if connection.execute(_OCCASION, known).first() is None:
        connection.execute(
            _NEW,
            {
                "channel_id": channel_id,
                "rule_id": rule_id,
                "of_run": run_id,
                "occasion": occasion,
                "what": what,
                "detail": detail,
            },
        )


def drop_pending(connection: Connection, channel_id: int, why: str) -> None:
    """What waits to be sent by a channel has failed."""
    connection.execute(
        update(outbox)
        .where(outbox.c.channel_id == channel_id, outbox_pending)
        .values(
            state=NotificationState.FAILED,
            last_error=why,
            ended_at=now_ms(),
            claimed_until=None,
            claimed_by=None,
        )
    )


class NotificationFilter(NamedTuple):
    """Which notifications to list; `before` is the cursor: only ids below it."""

    state: NotificationState | None = None
    channel: int | None = None
    run: int | None = None
    project: int | None = None
    before: int | None = None
    limit: int = 50


_SHOWN = (
    select(
        outbox,
        channels.c.name.label("channel_name"),
        channels.c.kind,
        runs.c.number,
        runs.c.project_id.label("of_project"),
        projects.c.name.label("project_name"),
    )
    .join(channels, channels.c.id == outbox.c.channel_id)
    .join(runs, runs.c.id == outbox.c.run_id)
    .join(projects, projects.c.id == runs.c.project_id)
)


def list_notifications(connection: Connection, wanted: NotificationFilter) -> list[NotificationView]:
    """The newest that the filter lets through, newest first."""
    query = _SHOWN.order_by(outbox.c.id.desc()).limit(wanted.limit)
    for column, value in (
        (outbox.c.state, wanted.state),
        (outbox.c.channel_id, wanted.channel),
        (outbox.c.run_id, wanted.run),
        (outbox.c.project_id, wanted.project),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.before is not None:
        query = query.where(outbox.c.id < wanted.before)
    return [_view(row) for row in connection.execute(query)]


def get_notification(connection: Connection, id: int) -> NotificationView:
    """Raises NotFound."""
    row = connection.execute(_SHOWN.where(outbox.c.id == id)).first()
    if row is None:
        raise NotFound("notification", id)
    return _view(row)


def send_again(connection: Connection, id: int) -> NotificationView:
    """Have one that failed, or of which it is not known whether it arrived, sent again, at once.

    Raises NotFound, and MoveRefused for one that waits or was sent, or whose channel sends nothing any more.
    """
    shown = get_notification(connection, id)
    if shown.state is NotificationState.SENT:
        raise MoveRefused(f"notification {id}", shown.state, "be sent again")
    used = select(channels.c.id).where(channels.c.id == shown.channel, _USED)
    if connection.execute(used).first() is None:
        raise MoveRefused(f"notification {id} of channel {shown.channel_name!r}", "off", "be sent again")
    move(
        connection,
        outbox,
        NOTIFICATION,
        id,
        REOPEN,
        attempts=0,
        ended_at=None,
        told=None,
        next_at=read_clock(connection),
    )
    return get_notification(connection, id)


def _view(row: Row[*tuple[Any, ...]]) -> NotificationView:
    pending = row.state == NotificationState.PENDING
    return NotificationView(
        id=row.id,
        channel=row.channel_id,
        channel_name=row.channel_name,
        kind=ChannelKind(row.kind),
        rule=row.rule_id,
        run=row.run_id,
        run_number=row.number,
        project=row.of_project,
        project_name=row.project_name,
        what=row.what,
        detail=row.detail,
        state=row.state,
        attempts=row.attempts,
        last_error=row.last_error,
        told=row.told,
        created_at=row.created_at,
        next_at=row.next_at if pending else None,
        ended_at=row.ended_at,
    )
