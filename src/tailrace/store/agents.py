"""Agents: registered with a one-time token, known by the hash of their credential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Row, bindparam, func, insert, not_, or_, select, update

from tailrace.domain.agent_changes import (
    Allowed,
    ChangePart,
    NamedProject,
    Relabelled,
    Removed,
    Renamed,
    Switched,
)
from tailrace.domain.errors import NotFound, Unauthorised
from tailrace.domain.model import AgentView
from tailrace.domain.report import MachineReport
from tailrace.domain.states import AgentMode, AttemptState
from tailrace.domain.trust import Taker
from tailrace.store.agent_changes import note_change
from tailrace.store.clock import read_clock
from tailrace.store.projects import project_ids, require_projects
from tailrace.store.tables import agent as agents
from tailrace.store.tables import agent_token as tokens
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import attempt_held
from tailrace.store.tables import project as projects


class Standing(NamedTuple):
    """What decides which work an agent gets."""

    taker: Taker
    mode: AgentMode


class AgentChange(NamedTuple):
    """What people want to be different; what is None stays. `labels` are those that people gave it.

    `projects` are ids; an agent with `any_project` takes work of all again.
    """

    name: str | None = None
    labels: Sequence[str] | None = None
    mode: AgentMode | None = None
    why: str | None = None
    projects: Sequence[int] | None = None
    any_project: bool = False


_STANDING = select(
    agents.c.id,
    agents.c.labels,
    agents.c.granted_labels,
    agents.c.projects,
    agents.c.own_projects,
    agents.c.mode,
).where(agents.c.id.in_(bindparam("ids", expanding=True)), agents.c.removed_at.is_(None))


_NAMES = (
    select(projects.c.id, projects.c.name)
    .where(projects.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(projects.c.id)
)
_BEFORE = select(agents.c.granted_labels, agents.c.version, agents.c.refused).where(
    agents.c.id == bindparam("id")
)
_BUSY = (
    select(attempts.c.agent_id, func.count().label("busy"))
    .where(attempt_held)
    .group_by(attempts.c.agent_id)
    .subquery()
)
_ALL = (
    select(agents, _BUSY.c.busy)
    .outerjoin(_BUSY, _BUSY.c.agent_id == agents.c.id)
    .where(agents.c.removed_at.is_(None))
    .order_by(agents.c.id)
)


_ONCE_AWAY = select(agents.c.id).where(
    agents.c.once,
    agents.c.removed_at.is_(None),
    or_(not_(agents.c.online), agents.c.last_seen_at < bindparam("since")),
    ~select(attempts.c.id).where(attempts.c.agent_id == agents.c.id, attempt_held).exists(),
)


class HeldAttempt(NamedTuple):
    """An attempt that belongs to an agent."""

    attempt_id: int
    run_id: int
    cookie: str
    log_id: int
    state: AttemptState
    stalled: str | None = None


def add_agent_token(
    connection: Connection,
    hash: str,
    labels: Sequence[str],
    life_ms: int,
    projects: Sequence[int] | None = None,
) -> int:
    """Keep the hash of a one-time registration token; returns when it expires (ms).

    Its agent takes work of these projects alone, of all where None is given. Raises NotFound for an unknown project.
    """
    now = read_clock(connection)
    connection.execute(
        insert(tokens).values(
            hash=hash,
            labels=list(labels),
            projects=None if projects is None else require_projects(connection, projects),
            created_at=now,
            expires_at=now + life_ms,
        )
    )
    return now + life_ms


def register_agent(
    connection: Connection,
    token_hash: str,
    credential_hash: str,
    *,
    name: str,
    labels: Sequence[str],
    capacity: int,
    version: str,
) -> int:
    """Use a token up and make its agent; returns the agent's id. Raises Unauthorised for a token that is no good."""
    now = read_clock(connection)
    used = connection.execute(
        update(tokens)
        .where(tokens.c.hash == token_hash, tokens.c.used_at.is_(None), tokens.c.expires_at > now)
        .values(used_at=now)
        .returning(tokens.c.labels, tokens.c.projects)
    ).one_or_none()
    if used is None:
        raise Unauthorised(
            "this registration token is unknown, used or expired: make a new one with `tailrace agent-token`"
        )
    return connection.execute(
        insert(agents)
        .values(
            name=name,
            credential_hash=credential_hash,
            labels=sorted({*used.labels, *labels}),
            granted_labels=used.labels,
            projects=used.projects,
            capacity=capacity,
            version=version,
            online=False,
            first_seen_at=now,
            last_seen_at=now,
        )
        .returning(agents.c.id)
    ).scalar_one()


def find_agent(connection: Connection, credential_hash: str) -> int | None:
    """The id of the agent with this credential."""
    return connection.execute(
        select(agents.c.id).where(agents.c.credential_hash == credential_hash, agents.c.removed_at.is_(None))
    ).scalar()


def agent_came(
    connection: Connection,
    id: int,
    *,
    labels: Sequence[str],
    capacity: int,
    version: str,
    address: str | None,
    machine: MachineReport | None = None,
    projects: Sequence[str] | None = None,
    once: bool = False,
) -> Standing:
    """Note what an agent says of itself when it connects; how it stands then, with the labels that people gave it.

    Trouble that another version of it had is over, and so is that of not being understood.
    """
    row = connection.execute(_BEFORE, {"id": id}).first()
    ordered = sorted({*labels, *(row.granted_labels if row else ())})
    over: dict[str, object] = {}
    if row is not None and (row.refused or row.version != version):
        over = {"trouble": None, "trouble_at": None, "refused": False}
    connection.execute(
        update(agents)
        .where(agents.c.id == id)
        .values(
            labels=ordered,
            capacity=capacity,
            version=version,
            address=address,
            machine=None if machine is None else machine.model_dump(mode="json"),
            own_projects=None if projects is None else sorted(projects),
            once=once,
            online=True,
            last_seen_at=read_clock(connection),
            **over,
        )
    )
    return read_standing(connection, id) or Standing(Taker(frozenset()), AgentMode.PAUSED)


def read_standing(connection: Connection, id: int) -> Standing | None:
    """How an agent stands now; None when it was removed."""
    return read_standings(connection, [id]).get(id)


def read_standings(connection: Connection, ids: Sequence[int]) -> dict[int, Standing]:
    """How agents stand now; those that were removed are left out."""
    rows = connection.execute(_STANDING, {"ids": list(ids)}).all()
    return {row.id: _standing(connection, row) for row in rows}


def _standing(connection: Connection, row: Row[*tuple[object, ...]]) -> Standing:
    projects: frozenset[int] | None = None if row.projects is None else frozenset(row.projects)
    if row.own_projects is not None:
        own = project_ids(connection, row.own_projects)
        projects = own if projects is None else projects & own
    return Standing(
        Taker(frozenset(row.labels), frozenset(row.granted_labels), projects), AgentMode(row.mode)
    )


def change_agent(connection: Connection, id: int, change: AgentChange, by: str) -> None:
    """Apply what people want of an agent, and write it down with who and why; raises NotFound."""
    row = connection.execute(
        select(agents.c.name, agents.c.labels, agents.c.granted_labels).where(
            agents.c.id == id, agents.c.removed_at.is_(None)
        )
    ).first()
    if row is None:
        raise NotFound("agent", id)
    values: dict[str, object] = {}
    if change.name is not None:
        values["name"] = change.name
    if change.labels is not None:
        own = set(row.labels) - set(row.granted_labels)
        values |= {"granted_labels": sorted(change.labels), "labels": sorted({*own, *change.labels})}
    if change.mode is not None:
        values |= {"mode": change.mode, "mode_by": None, "mode_why": None, "mode_at": None}
        if change.mode is not AgentMode.ACTIVE:
            values |= {"mode_by": by, "mode_why": change.why, "mode_at": read_clock(connection)}
    if change.any_project:
        values["projects"] = None
    elif change.projects is not None:
        values["projects"] = require_projects(connection, change.projects)
    if values:
        connection.execute(update(agents).where(agents.c.id == id).values(values))
        note_change(connection, id, _parts(connection, row.name, change), by, change.why)


def _parts(connection: Connection, name: str, change: AgentChange) -> list[ChangePart]:
    parts: list[ChangePart] = []
    if change.name is not None:
        parts.append(Renamed(before=name, after=change.name))
    if change.labels is not None:
        parts.append(Relabelled(labels=tuple(sorted(change.labels))))
    if change.mode is not None:
        parts.append(Switched(mode=change.mode))
    if change.any_project:
        parts.append(Allowed(projects=None))
    elif change.projects is not None:
        known = connection.execute(_NAMES, {"ids": list(change.projects)})
        parts.append(Allowed(projects=tuple(NamedProject(id=row.id, name=row.name) for row in known)))
    return parts


def remove_agent(connection: Connection, id: int, by: str, why: str | None = None) -> None:
    """Its credential is good for nothing from now on, and its leases have run out; raises NotFound."""
    now = read_clock(connection)
    removed = connection.execute(
        update(agents)
        .where(agents.c.id == id, agents.c.removed_at.is_(None))
        .values(removed_at=now, online=False)
        .returning(agents.c.id)
    ).first()
    if removed is None:
        raise NotFound("agent", id)
    note_change(connection, id, [Removed()], by, why)
    connection.execute(
        update(attempts).where(attempts.c.agent_id == id, attempt_held).values(lease_until=now - 1)
    )


def find_once_away(connection: Connection, away_ms: int) -> list[int]:
    """Agents of machines that live for one job, which hold nothing and have not been heard of for `away_ms`."""
    return list(connection.execute(_ONCE_AWAY, {"since": read_clock(connection) - away_ms}).scalars())


def agent_left(connection: Connection, id: int) -> None:
    """Its connection ended; what it holds stays its own until the lease runs out."""
    connection.execute(
        update(agents).where(agents.c.id == id).values(online=False, last_seen_at=read_clock(connection))
    )


def note_trouble(connection: Connection, id: int, message: str, *, refused: bool = False) -> None:
    """Keep the last error that an agent reported of itself, or (`refused`) that it is not understood here."""
    noted = {"trouble": message, "trouble_at": read_clock(connection), "refused": refused}
    connection.execute(update(agents).where(agents.c.id == id).values(noted))


def held_attempts(connection: Connection, agent_id: int) -> list[HeldAttempt]:
    """All that belongs to an agent and has not ended."""
    rows = connection.execute(
        select(
            attempts.c.id,
            attempts.c.run_id,
            attempts.c.cookie,
            attempts.c.log_id,
            attempts.c.state,
            attempts.c.stalled,
        )
        .where(attempts.c.agent_id == agent_id, attempt_held)
        .order_by(attempts.c.id)
    )
    return [HeldAttempt(*row[:4], AttemptState(row.state), row.stalled) for row in rows]


def list_agents(connection: Connection, lease_ms: int) -> list[AgentView]:
    """All agents, oldest first; online while connected and heard of within a lease's time."""
    now = read_clock(connection)
    rows = connection.execute(_ALL)
    return [
        AgentView(
            id=row.id,
            name=row.name,
            state="online" if row.online and row.last_seen_at > now - lease_ms else "offline",
            labels=tuple(row.labels),
            capacity=row.capacity,
            busy=row.busy or 0,
            version=row.version,
            address=row.address,
            trouble=row.trouble,
            trouble_at=row.trouble_at,
            granted_labels=tuple(row.granted_labels),
            projects=None if row.projects is None else tuple(row.projects),
            own_projects=None if row.own_projects is None else tuple(row.own_projects),
            machine=row.machine,
            load=row.load,
            mode=row.mode,
            mode_by=row.mode_by,
            mode_why=row.mode_why,
            mode_at=row.mode_at,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
        )
        for row in rows
    ]
