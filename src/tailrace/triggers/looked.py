"""What came of a look or a tick, in one transaction: heads move, runs are made, the claim ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from tailrace.domain.cron import parse_cron, read_zone
from tailrace.domain.errors import Invalid, NotFound
from tailrace.domain.events import Event, EventKind
from tailrace.domain.polls import Change, Found, Wanted, Whom
from tailrace.domain.triggers import CronSettings, TriggerView
from tailrace.store.heads import find_head, forget_head, move_head
from tailrace.store.polls import lock_head, told_revisions
from tailrace.store.triggers import DueTrigger, settle
from tailrace.triggers.fire import Fired, fire

Clock = Callable[[Connection], int]
"""Now, in ms since the epoch."""
AGAIN_MS = 3600 * 1000
"""After what only a person can put right."""


class ClaimLost(Exception):
    """Another server looks at this trigger now, or it was changed, disabled or removed: nothing may come of this look."""


class MovedMeanwhile(Exception):
    """A webhook moved a head while we looked: what we saw may be older than what it told."""


class Settled(NamedTuple):
    """The runs that came of it, and what is said of it."""

    runs: tuple[int, ...]
    detail: str


def settle_look(
    connection: Connection, due: DueTrigger, by: str, wanted: Wanted, found: Found, wait_ms: int, clock: Clock
) -> Settled:
    """Make the runs of what a look found, and end `by`'s claim; looked at again in `wait_ms`. Raises ClaimLost, MovedMeanwhile."""
    view = due.view
    for ref, revision in found.noted.items():
        if find_head(connection, view.project, ref) is None:
            move_head(connection, view.project, ref, revision, by=view.kind)
    for ref in found.gone:
        if lock_head(connection, view.project, ref) == wanted.heads.get(ref):
            forget_head(connection, view.project, ref)
    fired = [_tell(connection, view, wanted, change) for change in found.changes]
    settled = Settled(tuple(run for one in fired for run in one.runs), _detail(found.detail, fired))
    next_at = clock(connection) + wait_ms
    if not settle(
        connection,
        view.id,
        by,
        next_at=next_at,
        seen=found.seen,
        detail=settled.detail,
        was_due=view.next_at,
    ):
        raise ClaimLost
    return settled


def settle_failed(
    connection: Connection, due: DueTrigger, by: str, error: str, wait_ms: int, clock: Clock
) -> None:
    """Note why a look failed, and end `by`'s claim; what was seen before stays."""
    next_at = clock(connection) + wait_ms
    settle(connection, due.view.id, by, next_at=next_at, seen=due.seen, error=error, was_due=due.view.next_at)


def settle_tick(connection: Connection, due: DueTrigger, by: str, clock: Clock) -> Settled:
    """Make the run of a tick whose time has come, or skip those that were missed, and end `by`'s claim. Raises ClaimLost.

    It remembers the next tick: `{"next": ms}`.
    """
    view, settings, now = due.view, due.view.settings, clock(connection)
    assert isinstance(settings, CronSettings)
    try:
        cron, zone = parse_cron(settings.expression), read_zone(settings.zone)
    except Invalid as error:  # a zone can go from a machine
        if not settle(connection, view.id, by, next_at=now + AGAIN_MS, seen=due.seen, error=str(error)):
            raise ClaimLost from None
        return Settled((), str(error))
    if due.seen is None:
        tick, next_at, missed = None, cron.next_after(now, zone), 0
    else:
        tick, next_at, missed = cron.due(due.seen["next"], now, zone, once=settings.missed == "once")
    fired: list[Fired] = []
    if tick is not None:
        fired.append(_fire(connection, view, _tick_event(settings, tick), trigger_id=view.id))
    what = "nothing was due" if tick is None else f"the tick of {_iso(tick)}"
    if missed:
        what += f"; {missed} missed {'tick was' if missed == 1 else 'ticks were'} skipped"
    settled = Settled(tuple(run for one in fired for run in one.runs), _detail(what, fired))
    if not settle(connection, view.id, by, next_at=next_at, seen={"next": next_at}, detail=settled.detail):
        raise ClaimLost
    return settled


def _tell(connection: Connection, view: TriggerView, wanted: Wanted, change: Change) -> Fired:
    event, ref = change.event, change.event.ref
    if change.whom is Whom.OWN or ref is None or event.revision is None:
        return _fire(connection, view, event, trigger_id=view.id)
    if change.whom is Whom.EARLIER:
        if event.revision in told_revisions(connection, view.project, ref):
            return Fired((), (), f"{event.revision[:12]} was told by a webhook")
        return _fire(connection, view, event, trigger_id=view.id)
    head = lock_head(connection, view.project, ref)
    if head not in (wanted.heads.get(ref), event.revision):
        raise MovedMeanwhile
    if not move_head(connection, view.project, ref, event.revision, by=view.kind, made=event.committed_at):
        return Fired((), (), f"{event.revision[:12]} was told by a webhook")
    return _fire(connection, view, event)


def _fire(connection: Connection, view: TriggerView, event: Event, trigger_id: int | None = None) -> Fired:
    try:
        return fire(
            connection,
            view.project,
            event,
            kind=view.kind,
            by=event.author or view.name,
            trigger_id=trigger_id,
        )
    except NotFound:  # removed while we looked
        raise ClaimLost from None


def _tick_event(settings: CronSettings, tick: int) -> Event:
    branch = settings.branch
    return Event(
        kind=EventKind.TICK,
        ref=None if branch is None else f"refs/heads/{branch}",
        branch=branch,
        title=f"{settings.expression} ({settings.zone})",
        values={"TICK": _iso(tick)},
    )


def _detail(what: str, fired: list[Fired]) -> str:
    runs = sum(len(one.runs) for one in fired)
    whys = dict.fromkeys(one.why for one in fired if one.why)
    made = [] if not runs else [f"{runs} run" if runs == 1 else f"{runs} runs"]
    return "; ".join([what, *made, *(str(why) for why in whys)])[:2000]


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
