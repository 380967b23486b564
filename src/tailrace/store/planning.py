"""Runs whose plan is still to be read: claimed by one server at a time, then given jobs or ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, or_, select, update

from tailrace.domain.events import Event, EventKind
from tailrace.domain.parameters import NO_VALUES, Values
from tailrace.domain.plan import Plan
from tailrace.domain.states import RUN, RunState
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.jobs import lock_run
from tailrace.store.moves import move
from tailrace.store.new_jobs import create_jobs
from tailrace.store.outbox import note_end, note_progress
from tailrace.store.plans import Seen, add_version
from tailrace.store.run_secrets import keep_only
from tailrace.store.tables import plan as plans
from tailrace.store.tables import plan_version as versions
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs
from tailrace.store.tables import run_planning


class PlanningWork(NamedTuple):
    """A claimed run: read `path` in `repository` at `revision` or `ref` (`path` None: `definition` is kept here).

    `event` is what the plan's `on` is asked about; None where a person wants the run. `asked`: a person was asked for the values
    of its parameters, and `variables` holds what is known of them. `found`: an event found the plan in the repository.
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


class Resolved(NamedTuple):
    """The commit that a run is about."""

    revision: str
    ref: str | None
    branch: str | None
    title: str | None
    author: str | None


def claim_planning(connection: Connection, claim_ms: int, limit: int) -> list[PlanningWork]:
    """Claim up to `limit` runs for `claim_ms`, oldest first; a claim that runs out can be claimed again."""
    now = read_clock(connection)
    free = or_(runs.c.claimed_until.is_(None), runs.c.claimed_until < now)
    candidates = (
        select(runs.c.id)
        .where(run_planning, free)
        .order_by(runs.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(candidates).scalars())
    connection.execute(update(runs).where(runs.c.id.in_(ids)).values(claimed_until=now + claim_ms))
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


def renew_claims(connection: Connection, run_ids: Sequence[int], claim_ms: int) -> None:
    """These runs are still being planned by whoever claimed them."""
    _set_claims(connection, run_ids, read_clock(connection) + claim_ms)


def release_claims(connection: Connection, run_ids: Sequence[int]) -> None:
    """Whoever claimed these runs does not plan them any more: another may at once."""
    _set_claims(connection, run_ids, None)


def _set_claims(connection: Connection, run_ids: Sequence[int], until: int | None) -> None:
    if run_ids:
        connection.execute(
            update(runs).where(runs.c.id.in_(run_ids), run_planning).values(claimed_until=until)
        )


def plan_run(
    connection: Connection,
    work: PlanningWork,
    definition: str,
    plan: Plan,
    resolved: Resolved,
    values: Values = NO_VALUES,
) -> bool:
    """Give a claimed run its version, its commit, the values of its parameters and its jobs.

    False when it is no longer planning (aborted).
    """
    if lock_run(connection, work.run_id) is not RunState.PLANNING:
        return False
    known = connection.execute(
        select(runs.c.ref, runs.c.branch, runs.c.title, runs.c.author, runs.c.from_fork).where(
            runs.c.id == work.run_id
        )
    ).one()
    seen = Seen(known.ref or resolved.ref, resolved.revision, known.from_fork, resolved.author)
    version_id = work.version_id or add_version(connection, work.plan_id, definition, seen)
    move(
        connection,
        runs,
        RUN,
        work.run_id,
        "plan",
        plan_version_id=version_id,
        claimed_until=None,
        event=None,
        revision=resolved.revision,
        ref=known.ref or resolved.ref,
        branch=known.branch or resolved.branch,
        title=known.title or resolved.title,
        author=known.author or resolved.author,
        variables={**work.variables, **values.texts},
    )
    keep_only(connection, work.run_id, values.secrets)
    create_jobs(connection, work.run_id, plan, from_fork=known.from_fork)
    return True


def end_planning(connection: Connection, run_id: int, verb: str, reason: str, detail: str) -> bool:
    """End a planning run by `verb` (fail, skip); False when it is no longer planning."""
    if lock_run(connection, run_id) is not RunState.PLANNING:
        return False
    keep_only(connection, run_id, ())
    move(connection, runs, RUN, run_id, verb, event=None, reason=reason, detail=detail, finished_at=now_ms())
    if verb != "skip":  # no plan wanted it: nothing happened that anybody has to hear of
        note_end(connection, run_id, RUN.target(verb))
        note_progress(connection, run_id)
    return True
