"""The queue is the `attempt` table: leased to agents, renewed, given back or lost."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import JSON, Connection, bindparam, func, select, update

from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import JobSpec
from tailrace.domain.report import Load
from tailrace.domain.states import ATTEMPT, LOG, AgentMode, AttemptState
from tailrace.domain.trust import Taker
from tailrace.store.agents import read_standings
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.jobs import end_job, lock_run
from tailrace.store.moves import move, move_all
from tailrace.store.openers import SealedOpener, find_opener
from tailrace.store.outputs import read_needs
from tailrace.store.queue import choose
from tailrace.store.secrets import SealedSecret, sealed_secrets
from tailrace.store.tables import agent as agents
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import attempt_held, attempt_pending
from tailrace.store.tables import job as jobs
from tailrace.store.tables import log as logs
from tailrace.store.tables import plan as plans
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs


class Offer(NamedTuple):
    """An agent that could take `free` more attempts."""

    agent_id: int
    taker: Taker
    free: int


class Granted(NamedTuple):
    """An attempt that now belongs to an agent, as a handover is."""

    agent_id: int
    lease: Lease
    sealed: tuple[SealedSecret, ...] = ()
    opener: SealedOpener | None = None


class Handover(NamedTuple):
    """A lease with the secrets that its job wants, as far as there are any, and with what opens its repository."""

    lease: Lease
    sealed: tuple[SealedSecret, ...] = ()
    opener: SealedOpener | None = None


class HeardOf(NamedTuple):
    """An agent that is alive; `load` is what it said last of its machine."""

    agent_id: int
    load: Load | None = None


class Lapsed(NamedTuple):
    """An attempt whose agent has been away for longer than its lease."""

    attempt_id: int
    run_id: int
    log_id: int
    agent_id: int
    state: AttemptState


class Ended(NamedTuple):
    """What the end of an attempt moved: its run, and whether other attempts are in the queue now."""

    run_id: int
    queued: bool


# Statements of the way that every attempt takes are built once: building one takes longer than executing it.
_LOCK = (
    select(attempts.c.id)
    .where(attempt_pending, attempts.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update(skip_locked=True)
)
_LEASES = (
    select(
        attempts.c.id,
        attempts.c.number,
        attempts.c.cookie,
        attempts.c.log_id,
        attempts.c.run_id,
        runs.c.number.label("run_number"),
        projects.c.name.label("project"),
        plans.c.name.label("plan"),
        runs.c.project_id,
        projects.c.repository,
        projects.c.credentials,
        runs.c.revision,
        runs.c.ref,
        runs.c.branch,
        runs.c.trigger_event,
        runs.c.variables,
        runs.c.from_fork,
        jobs.c.spec,
    )
    .join(jobs, jobs.c.id == attempts.c.job_id)
    .join(runs, runs.c.id == attempts.c.run_id)
    .join(projects, projects.c.id == runs.c.project_id)
    .join(plans, plans.c.id == runs.c.plan_id)
    .where(attempts.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(attempts.c.id)
)
_RENEW = (
    update(attempts)
    .where(attempts.c.agent_id.in_(bindparam("agents", expanding=True)), attempt_held)
    .values(lease_until=bindparam("until"))
)
_SEEN = (
    update(agents)
    .where(agents.c.id == bindparam("agent"))
    .values(
        last_seen_at=bindparam("at"),
        online=True,
        load=func.coalesce(bindparam("load", type_=JSON(none_as_null=True)), agents.c.load),
    )
)


def lease_attempts(connection: Connection, offers: Sequence[Offer], lease_ms: int) -> list[Granted]:
    """Give pending attempts to agents, in the order that `tailrace.store.queue` tells."""
    room = {offer.agent_id: offer.free for offer in offers if offer.free > 0}
    takers = {offer.agent_id: offer.taker for offer in offers if offer.free > 0}
    if not room:
        return []
    granted: list[Granted] = []
    tried: set[int] = set()
    while chosen := choose(connection, takers, dict(room), tried):
        if _have_changed(connection, chosen.values(), takers):
            continue
        # Only what is chosen is locked: what this transaction does not take, another may take meanwhile.
        ours = set(connection.execute(_LOCK, {"ids": list(chosen)}).scalars())
        for agent in room:
            ids = [id for id, taker in chosen.items() if taker == agent and id in ours]
            room[agent] -= len(ids)
            granted += _take(connection, agent, ids, lease_ms)
        if len(ours) == len(chosen):
            break
        tried |= chosen.keys()
    return granted


def _have_changed(connection: Connection, chosen: Collection[int], takers: dict[int, Taker]) -> bool:
    """Whether people changed one of these agents since its offer was made: `takers` is then as it is now."""
    standings = read_standings(connection, sorted(set(chosen)))
    changed = False
    for agent in set(chosen):
        standing, offered = standings.get(agent), takers[agent]
        if standing is None or standing.mode is not AgentMode.ACTIVE:
            del takers[agent]
        elif (standing.taker.given, standing.taker.projects) != (offered.given, offered.projects):
            takers[agent] = standing.taker
        else:
            continue
        changed = True
    return changed


def _take(connection: Connection, agent: int, ids: Sequence[int], lease_ms: int) -> list[Granted]:
    if not ids:
        return []
    now = read_clock(connection)
    moved = move_all(
        connection,
        attempts,
        ATTEMPT,
        ids,
        "lease",
        agent_id=agent,
        leased_at=now,
        lease_until=now + lease_ms,
    )
    return [Granted(agent, *handover) for handover in read_handovers(connection, moved)]


def read_handovers(connection: Connection, ids: Sequence[int]) -> list[Handover]:
    """What agents need to carry these attempts, oldest first."""
    rows = connection.execute(_LEASES, {"ids": list(ids)}).all()
    specs = [JobSpec.model_validate(row.spec) for row in rows]
    opening = {
        row.id: row.project_id
        for row, spec in zip(rows, specs, strict=True)
        if row.credentials is not None and spec.checkout
    }
    of_projects = {project: find_opener(connection, project) for project in set(opening.values())}
    openers = {id: of_projects[project] for id, project in opening.items()}
    leases = [
        Lease(
            attempt=row.id,
            number=row.number,
            cookie=row.cookie,
            log=row.log_id,
            run=row.run_id,
            run_number=row.run_number,
            project=row.project,
            plan=row.plan,
            repository=row.repository,
            revision=row.revision,
            ref=row.ref,
            branch=row.branch,
            event=row.trigger_event,
            job=spec,
            variables=row.variables,
            from_fork=row.from_fork,
            credentials=None if (opener := openers.get(row.id)) is None else opener.credentials,
            opened_by=opener.row if opener is not None else "",
            needs=read_needs(connection, row.run_id, spec),
        )
        for row, spec in zip(rows, specs, strict=True)
    ]
    sealed = sealed_secrets(connection, leases)
    return [Handover(lease, sealed.get(lease.attempt, ()), openers.get(lease.attempt)) for lease in leases]


def renew_leases(connection: Connection, agent_id: int, lease_ms: int, load: Load | None = None) -> None:
    """The agent is alive: all that it holds is its own for `lease_ms` more. `load` is what it said last of its machine."""
    renew_all(connection, [HeardOf(agent_id, load)], lease_ms)


def renew_all(connection: Connection, heard: Sequence[HeardOf], lease_ms: int) -> None:
    """These agents are alive, likewise."""
    now = read_clock(connection)
    connection.execute(_RENEW, {"agents": [one.agent_id for one in heard], "until": now + lease_ms})
    seen = [
        {
            "agent": one.agent_id,
            "at": now,
            "load": None if one.load is None else one.load.model_dump(mode="json"),
        }
        for one in sorted(
            heard, key=lambda one: one.agent_id
        )  # so that two servers do not wait for each other
    ]
    connection.execute(_SEEN, seen)


def find_lapsed(connection: Connection) -> list[Lapsed]:
    """The attempts whose lease has run out."""
    rows = connection.execute(
        select(
            attempts.c.id, attempts.c.run_id, attempts.c.log_id, attempts.c.agent_id, attempts.c.state
        ).where(attempts.c.lease_until < read_clock(connection))
    )
    return [Lapsed(row.id, row.run_id, row.log_id, row.agent_id, AttemptState(row.state)) for row in rows]


def end_lapsed(
    connection: Connection, lapsed: Lapsed, log_size: int, *, returned: bool = False
) -> Ended | None:
    """Put a leased attempt back into the queue, end a running one as `agent_lost` with its log cut at `log_size` bytes.

    None when the agent was quicker and renewed. `returned`: the agent is back, but without the attempt.
    """
    lock_run(connection, lapsed.run_id)
    # Locked, because a renewal does not take the run's row.
    row = connection.execute(
        select(attempts).where(attempts.c.id == lapsed.attempt_id).with_for_update()
    ).one()
    still = row.agent_id == lapsed.agent_id and row.state == lapsed.state.value
    if not still or (not returned and row.lease_until >= read_clock(connection)):
        return None
    name, removed_at = connection.execute(
        select(agents.c.name, agents.c.removed_at).where(agents.c.id == row.agent_id)
    ).one()
    if lapsed.state is AttemptState.LEASED and row.abort_by is None:
        # Another cookie: who takes it next, perhaps on the same machine, is told apart from who may have begun it unheard.
        free = {"agent_id": None, "leased_at": None, "lease_until": None}
        move(connection, attempts, ATTEMPT, row.id, "expire", cookie=secrets.token_hex(16), **free)
        return Ended(lapsed.run_id, True)
    if row.abort_by is not None:
        verb, reason = "abort", Reason(row.reason or Reason.ABORTED_BY)
        detail = f"aborted by {row.abort_by}; agent {name} was away"
    elif removed_at is not None:
        verb, reason = "lose", Reason.AGENT_LOST
        detail = f"agent {name} was removed"
    elif returned:
        verb, reason = "lose", Reason.AGENT_LOST
        detail = f"agent {name} came back without it: its machine was restarted or its folder removed"
    else:
        verb, reason = "lose", Reason.AGENT_LOST
        detail = f"agent {name} has not been heard of since its lease ended"
    now = now_ms()
    move(
        connection,
        attempts,
        ATTEMPT,
        row.id,
        verb,
        reason=reason,
        detail=detail,
        lease_until=None,
        stalled=None,
        finished_at=now,
    )
    # A log that was closed already is whole, although nobody heard of the attempt's end.
    move_all(connection, logs, LOG, [lapsed.log_id], "truncate", size=log_size, closed_at=now)
    cause = {"reason": reason, "detail": detail, "finished_at": now}
    return Ended(lapsed.run_id, end_job(connection, row, "abort" if verb == "abort" else "fail", cause))
