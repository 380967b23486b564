"""Heads: the newest revision that we know of each ref, whoever told: webhooks and polls move the same one.

A head remembers where it was (`moves`), so that a webhook which comes late, or twice, is told from a change:

- A poll sees what the repository says now: it moves the head whenever that is something else.
- A webhook tells one change, perhaps long ago, perhaps twice. What a poll made a run of already is not a change again; one that
  begins where the head has long left, or whose commit is older than the one that the head is at, is a change of its own (nobody
  ran it), once, but does not move the head back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.sql.dml import ReturningInsert

from tailrace.store.clock import read_clock
from tailrace.store.tables import head as heads

MOVES_KEPT = 50
"""Of each head; a webhook that is later than so many changes is taken for news."""
CHAIN_MS = 10 * 60 * 1000
"""For so long after a webhook was late, one that begins where that one ended is taken for the next of them."""
LATE_MS = 24 * 3600 * 1000
"""A webhook that comes so long after a poll saw the same revision tells of another change."""

_THIS = (heads.c.project_id == bindparam("project")) & (heads.c.ref == bindparam("name"))
_FIND = select(heads.c.revision, heads.c.moves).where(_THIS)
_LOCK = _FIND.with_for_update()
_SET = update(heads).where(_THIS)


class Head(NamedTuple):
    """A ref of a project's repository and its newest known revision."""

    ref: str
    revision: str


def list_heads(connection: Connection, project_id: int) -> list[Head]:
    """All known heads of a project, by ref."""
    rows = connection.execute(
        select(heads.c.ref, heads.c.revision).where(heads.c.project_id == project_id).order_by(heads.c.ref)
    )
    return [Head(row.ref, row.revision) for row in rows]


def find_head(connection: Connection, project_id: int, ref: str) -> str | None:
    """The revision that the ref is known to have."""
    return connection.execute(_FIND, {"project": project_id, "name": ref}).scalar()


def move_head(
    connection: Connection,
    project_id: int,
    ref: str,
    revision: str,
    before: str | None = None,
    *,
    by: str,
    made: int | None = None,
) -> bool:
    """Note that `ref` is at `revision`; whether that is a change that nobody has told yet: then runs come of it.

    To be called in the transaction that makes the runs. `by` is the kind of the trigger (`webhook`, `git`, `subversion`);
    `before` is where a webhook's change began, None where it does not say; `made` is when the commit was made (ms since the epoch),
    None where nobody knows, or where it says nothing (a branch that was forced back). The ref's head stays locked until the
    transaction ends.
    """
    now = read_clock(connection)
    key = {"project": project_id, "name": ref}
    if before is not None and not before.strip("0"):
        before = None  # the hash that stands for nothing there
    told = by == "webhook"
    this = _This(revision, before, made, now)
    first = [_told(None, this) if told else _move(before, this, told=False)]
    row = {
        "project_id": project_id,
        "ref": ref,
        "revision": revision,
        "moved_at": now,
        "by": by,
        "moves": first,
    }
    while (found := connection.execute(_LOCK, key).first()) is None:
        if connection.execute(_new(connection), row).first() is not None:
            return True
        # Somebody made it meanwhile, and perhaps somebody forgets it before we have it.
    head, moves = found
    news = (_webhook_tells if by == "webhook" else _poll_tells)(head, moves, this)
    if news.moved:
        moved = {"revision": revision, "moved_at": now, "by": by, "moves": news.moves[-MOVES_KEPT:]}
        connection.execute(_SET.values(moved), key)
    elif news.moves is not moves:
        connection.execute(_SET.values(moves=news.moves[-MOVES_KEPT:]), key)
    return news.change


def forget_head(connection: Connection, project_id: int, ref: str) -> None:
    """The branch or tag is gone: when it comes again, that is a change, whatever its revision."""
    connection.execute(delete(heads).where(heads.c.project_id == project_id, heads.c.ref == ref))


Moves = list[dict[str, Any]]
"""Each with where the head was (`from`) and went (`to`), when the commit was `made`, `at`, whether a webhook `told` of it, and
what that said was `before`; `late`: the head was elsewhere by then."""


class _This(NamedTuple):
    """What is told `now`."""

    revision: str
    before: str | None
    made: int | None
    now: int


class _News(NamedTuple):
    """Whether it is a `change` that runs come of, and whether the head `moved`."""

    change: bool
    moved: bool
    moves: Moves


def _poll_tells(head: str, moves: Moves, this: _This) -> _News:
    if head == this.revision:
        return _News(False, False, moves)
    return _News(True, True, [*moves, _move(head, this, told=False)])


def _webhook_tells(head: str, moves: Moves, this: _This) -> _News:
    revision, before = this.revision, this.before
    for place, move in enumerate(moves):
        # Where a poll saw the ref for the first time, only the webhook of its creation is late.
        may_be = move["from"] is not None or before is None
        if may_be and move["to"] == revision and not move["told"] and move["at"] > this.now - LATE_MS:
            told = {**move, "told": True, "before": before}
            return _News(False, False, [*moves[:place], told, *moves[place + 1 :]])
    left = {move.get(where) for move in moves for where in ("from", "before")} - {None, head}
    was = {move[where] for move in moves for where in ("from", "to")}
    if head == revision:
        # It ends where we are; where it begins at a place that nobody told of, another change overtook it.
        if before is None or before in left | {head} or not left:
            return _News(False, False, moves)
        return _News(True, False, [*moves, _told(head, this)])
    passed = before in left or (before != head and revision in left - was) or _is_lower(head, revision)
    if passed and revision in was:
        return _News(False, False, moves)
    if (
        passed
        or _follows_late(moves, head, this)
        or (revision not in was and _is_older(moves, head, was, this))
    ):
        # Nobody ran it, but the head has passed it: to be remembered as told, before where the head is.
        return _News(True, False, [*moves[:-1], {**_told(None, this), "late": True}, *moves[-1:]])
    return _News(True, True, [*moves, _told(head, this)])


def _follows_late(moves: Moves, head: str, this: _This) -> bool:
    """Whether it begins where another one ended that was late a moment ago, and is not newer than the head by its time."""
    late = {move["to"] for move in moves if move.get("late") and move["at"] > this.now - CHAIN_MS} - {head}
    made = _made(moves, head)
    return this.before in late and (made is None or this.made is None or this.made <= made)


def _is_older(moves: Moves, head: str, was: Collection[object], this: _This) -> bool:
    """Whether it is told of a commit that was made before the head's.

    That counts only for what begins where nobody knows the branch to have been: a clock may be wrong. And one that begins anew,
    after a deletion that nobody told of, may begin anywhere.
    """
    made = _made(moves, head)
    unknown = this.before is not None and this.before not in was
    return unknown and made is not None and this.made is not None and this.made < made


def _made(moves: Moves, head: str) -> int | None:
    """When the commit that the head is at was made."""
    return moves[-1].get("made") if moves and moves[-1]["to"] == head else None


def _is_lower(head: str, revision: str) -> bool:
    """Whether Subversion's numbers say that it is older."""
    return _is_number(head) and _is_number(revision) and int(revision) < int(head)


def _is_number(revision: str) -> bool:
    return len(revision) < 20 and revision.isdecimal()


def _told(old: str | None, this: _This) -> dict[str, Any]:
    return {**_move(old, this, told=True), "before": this.before}


def _move(old: str | None, this: _This, *, told: bool) -> dict[str, Any]:
    return {"from": old, "to": this.revision, "made": this.made, "at": this.now, "told": told}


def _new(connection: Connection) -> ReturningInsert[tuple[str]]:
    # SQLAlchemy has this clause for each database, and not for both.
    kind = sqlite_insert if connection.dialect.name == "sqlite" else postgres_insert
    return kind(heads).on_conflict_do_nothing().returning(heads.c.ref)
