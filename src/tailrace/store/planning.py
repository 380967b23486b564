"""Runs whose plan is still to be read: claimed by one server at a time, then given jobs or ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from tailrace.domain.events import Event, EventKind
from tailrace.domain.parameters import NO_VALUES, Values
from tailrace.domain.plan import Plan
from tailrace.domain.slots import Slots
from tailrace.domain.states import RUN, RunState
from tailrace.domain.text import storable
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.jobs import lock_run
from tailrace.store.moves import move
from tailrace.store.new_jobs import create_jobs
from tailrace.store.outbox import note_end, note_progress
from tailrace.store.planning_order import free_behind, keep_order
from tailrace.store.plans import Seen, add_version
from tailrace.store.run_secrets import keep_only
from tailrace.store.tables import plan as plans
from tailrace.store.tables import plan_version as versions
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs
from tailrace.store.tables import run_planning

MOST_DETAIL = 4000
"""Characters of why a run ended, or waits."""
LOOKED_AT = 100
"""Runs of which those that find room are chosen at a time."""


class PlanningWork(NamedTuple):
    """A claimed run: read `path` in `repository` at `revision` or `ref` (`path` None: `definition` is kept here).

    `event` is what the plan's `on` is asked about; None where a person wants the run. `asked`: a person was asked for the values
    of its parameters, and `variables` holds what is known of them. `found`: an event found the plan in the repository.
    `by` claimed it. Its repository could not be read `tries` times, the first of them `troubled_ms` ago. `has_credentials`: its
    project names a secret that opens it.
    """

    run_id: int
    plan_id: int
    repository: str
    path: str | None
    version_id: int | None
    definition: str | None
    revision: str | None
    ref: str | None
    variables: dict[str, str]
    asked: bool
    found: bool
    event: Event | None
    by: str
    tries: int
    troubled_ms: int
    project_id: int
    has_credentials: bool = False


class Resolved(NamedTuple):
    """The commit that a run is about."""

    revision: str
    ref: str | None
    branch: str | None
    title: str | None
    author: str | None


def claim_planning(connection: Connection, by: str, claim_ms: int, slots: Slots) -> list[PlanningWork]:
    """Claim those for whose repositories there is room, oldest first, for `claim_ms`; a claim that runs out is free again."""
    now = read_clock(connection)
    free = run_planning & or_(runs.c.claimed_until.is_(None), runs.c.claimed_until <= now)
    ids: list[int] = []
    while chosen := _choose(connection, free, slots):
        claim = update(runs).where(runs.c.id.in_(chosen), free).returning(runs.c.id)
        got = list(connection.execute(claim.values(claimed_until=now + claim_ms, claimed_by=by)).scalars())
        ids += got
        if len(got) == len(chosen):
            break
        slots = slots.taken(chosen[id] for id in got)  # another server was quicker: look for more
    if not ids:
        return []
    rows = connection.execute(
        select(
            runs.c.id,
            runs.c.plan_id,
            projects.c.repository,
            plans.c.path,
            runs.c.plan_version_id,
            versions.c.definition,
            runs.c.revision,
            runs.c.ref,
            runs.c.variables,
            runs.c.trigger_event == EventKind.MANUAL.value,
            plans.c.found,
            runs.c.event,
            runs.c.claimed_by,
            runs.c.tries,
            func.coalesce(now - runs.c.troubled_at, 0).label("troubled_ms"),
            runs.c.project_id,
            projects.c.credentials.is_not(None),
        )
        .join(projects, projects.c.id == runs.c.project_id)
        .join(plans, plans.c.id == runs.c.plan_id)
        .outerjoin(versions, versions.c.id == runs.c.plan_version_id)
        .where(runs.c.id.in_(ids))
        .order_by(runs.c.id)
    )
    return [
        PlanningWork(*row)._replace(event=None if row.event is None else Event.model_validate(row.event))
        for row in rows
    ]


def _choose(connection: Connection, free: ColumnElement[bool], slots: Slots) -> dict[int, str]:
    """The oldest of the free runs that find room, each with its repository."""
    asking = (
        select(runs.c.id, runs.c.project_id, projects.c.repository)
        .join(projects, projects.c.id == runs.c.project_id)
        # Of a removed project nothing begins any more.
        .where(free, projects.c.removed_at.is_(None))
        .order_by(runs.c.id)
        .limit(LOOKED_AT)
    )
    chosen: dict[int, str] = {}
    after, full = 0, set[int]()
    while slots.free:
        found = connection.execute(asking.where(runs.c.id > after, runs.c.project_id.not_in(full))).all()
        fitting = slots.chosen((row.id, row.repository) for row in found)
        chosen |= fitting
        slots = slots.taken(fitting.values())
        if len(found) < LOOKED_AT:
            break
        after = found[-1].id
        full |= {row.project_id for row in found if not slots.has_room(row.repository)}
    return chosen


def renew_claims(connection: Connection, by: str, claim_ms: int) -> None:
    """`by` still plans what it claimed, as far as nobody else claimed it meanwhile."""
    held = run_planning & (runs.c.claimed_by == by)
    # What is locked is just being planned, or ended. To wait for it with others held would be a deadlock: a run that is planned
    # ends older ones.
    those = select(runs.c.id).where(held).order_by(runs.c.id).with_for_update(skip_locked=True)
    ids = list(connection.execute(those).scalars())
    until = read_clock(connection) + claim_ms
    connection.execute(update(runs).where(runs.c.id.in_(ids)).values(claimed_until=until))


def release_claims(connection: Connection, by: str) -> None:
    """`by` plans nothing any more: another may at once."""
    held = run_planning & (runs.c.claimed_by == by)
    connection.execute(update(runs).where(held).values(claimed_until=None, claimed_by=None))


def postpone(connection: Connection, work: PlanningWork, why: str, wait_ms: int, *, away: bool) -> list[int]:
    """End the claim of a run whose repository could not be read: it is planned again in `wait_ms`, and shows `why` meanwhile.

    `away`: the repository did not answer, so those that wait for it too do as this one did, unless they are to be planned later
    anyway, or a person wants them. Returns the runs that wait; none when it is no longer planning, or claimed by another.
    """
    if not _holds(connection, work.run_id, work.by):
        return []
    now = read_clock(connection)
    until = now + wait_ms
    these = runs.c.id == work.run_id
    if away:
        # What one secret does not open, another may.
        same = projects.c.id == work.project_id
        if not work.has_credentials:
            same = (projects.c.repository == work.repository) & projects.c.credentials.is_(None)
        ours = select(projects.c.id).where(same)
        sooner = or_(runs.c.claimed_until.is_(None), runs.c.claimed_until < until)
        others = runs.c.claimed_by.is_(None) & runs.c.event.is_not(None) & sooner
        these |= run_planning & runs.c.project_id.in_(ours) & others
    again = datetime.fromtimestamp(until / 1000, UTC)
    waiting = (
        update(runs)
        .where(these)
        .values(
            claimed_until=until,
            claimed_by=None,
            tries=runs.c.tries + 1,
            troubled_at=func.coalesce(runs.c.troubled_at, now),
            detail=f"{storable(_cut(why))}; tried again at {again:%H:%M:%S} UTC",
        )
    )
    return list(connection.execute(waiting.returning(runs.c.id)).scalars())


def next_postponed_in(connection: Connection) -> int | None:
    """In how many ms the next postponed run is to be planned again; None where none waits."""
    now = read_clock(connection)
    waiting = run_planning & runs.c.claimed_by.is_(None) & (runs.c.claimed_until > now)
    first = connection.execute(select(func.min(runs.c.claimed_until)).where(waiting)).scalar()
    return None if first is None else first - now


def _holds(connection: Connection, run_id: int, by: str | None) -> bool:
    """Whether the run is still to be planned, and by `by`, where that is said; its row is locked then."""
    if lock_run(connection, run_id) is not RunState.PLANNING:
        return False
    claimed_by = select(runs.c.claimed_by).where(runs.c.id == run_id)
    return by is None or connection.execute(claimed_by).scalar() == by


def plan_run(
    connection: Connection,
    work: PlanningWork,
    definition: str,
    plan: Plan,
    resolved: Resolved,
    values: Values = NO_VALUES,
) -> bool:
    """Give a claimed run its version, its commit, the values of its parameters and its jobs.

    False when it is no longer planning (aborted), or claimed by another. Raises OlderFirst.
    """
    if not _holds(connection, work.run_id, work.by):
        return False
    known = connection.execute(
        select(runs.c.ref, runs.c.branch, runs.c.title, runs.c.author, runs.c.from_fork).where(
            runs.c.id == work.run_id
        )
    ).one()
    ref, branch = known.ref or resolved.ref, known.branch or resolved.branch
    if not known.from_fork:
        keep_order(
            connection, work.run_id, plan, {"ref": ref, "branch": branch, "revision": resolved.revision}
        )
    seen = Seen(ref, resolved.revision, known.from_fork, resolved.author)
    version_id = work.version_id or add_version(connection, work.plan_id, definition, seen)
    move(
        connection,
        runs,
        RUN,
        work.run_id,
        "plan",
        plan_version_id=version_id,
        claimed_until=None,
        claimed_by=None,
        detail=None,
        event=None,
        revision=resolved.revision,
        ref=ref,
        branch=branch,
        title=known.title or resolved.title,
        author=known.author or resolved.author,
        variables={**work.variables, **values.texts},
    )
    keep_only(connection, work.run_id, values.secrets)
    create_jobs(connection, work.run_id, plan, from_fork=known.from_fork)
    free_behind(connection, work.run_id)
    return True


def _cut(detail: str) -> str:
    """As much of it as every list of runs can carry."""
    return (
        detail if len(detail) <= MOST_DETAIL else f"{detail[:MOST_DETAIL]}… ({len(detail)} characters in all)"
    )


def note_text(connection: Connection, work: PlanningWork, definition: str, resolved: Resolved) -> bool:
    """A claimed run names the text of its plan, which does not want it: that is known then of its commit, and may be in force.

    False when it is no longer planning, or claimed by another.
    """
    if not _holds(connection, work.run_id, work.by):
        return False
    these = runs.c.id == work.run_id
    known = connection.execute(select(runs.c.ref, runs.c.branch, runs.c.from_fork).where(these)).one()
    ref, branch = known.ref or resolved.ref, known.branch or resolved.branch
    seen = Seen(ref, resolved.revision, known.from_fork, resolved.author)
    version_id = work.version_id or add_version(connection, work.plan_id, definition, seen)
    found = {"plan_version_id": version_id, "revision": resolved.revision, "ref": ref, "branch": branch}
    connection.execute(update(runs).where(these).values(found))
    return True


def end_planning(
    connection: Connection, run_id: int, verb: str, reason: str, detail: str, by: str | None = None
) -> bool:
    """End a planning run by `verb` (fail, skip); False when it is no longer planning, or no longer claimed by `by`."""
    if not _holds(connection, run_id, by):
        return False
    keep_only(connection, run_id, ())
    cause = {"reason": reason, "detail": storable(_cut(detail)), "finished_at": now_ms()}
    move(connection, runs, RUN, run_id, verb, event=None, **cause)
    free_behind(connection, run_id)
    if verb != "skip":  # no plan wanted it: nothing happened that anybody has to hear of
        note_end(connection, run_id, RUN.target(verb))
        note_progress(connection, run_id)
    return True
