"""Channels: ways on which messages leave. Removed ones keep their rows; their secrets go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, or_, select, update
from sqlalchemy import insert as insert_into

from tailrace.domain.channels import (
    CHANNEL_SETTINGS,
    FORGES,
    ForgeSettings,
    MessageSettings,
    require_secrets,
)
from tailrace.domain.errors import Conflict, NotFound
from tailrace.domain.notifications import ChannelView
from tailrace.store.clock import read_clock
from tailrace.store.outbox import drop_pending
from tailrace.store.projects import get_project
from tailrace.store.tables import channel as channels
from tailrace.store.tables import project as projects
from tailrace.store.tables import rule as rules

Settings = MessageSettings | ForgeSettings
Seal = Callable[[str], bytes]
"""Seals a channel's secrets for the row of the name that it is given."""


def channel_row(id: int) -> str:
    """The row identity under which a channel's secrets are sealed."""
    return f"channel/{id}/secrets"


def add_channel(
    connection: Connection,
    project_id: int | None,
    name: str,
    settings: Settings,
    secrets: Mapping[str, str],
    seal: Seal,
    *,
    author: str,
) -> ChannelView:
    """A new channel; raises NotFound without that project, Conflict when the name is taken."""
    if project_id is not None:
        get_project(connection, project_id)
    elif settings.kind in FORGES:
        raise Conflict(f"a {settings.kind} channel tells of one project's commits: name its project")
    _require_free(connection, name)
    now = read_clock(connection)
    id = connection.execute(
        insert_into(channels)
        .values(
            project_id=project_id,
            name=name,
            kind=settings.kind,
            settings=settings.model_dump(mode="json"),
            secret_names=sorted(secrets),
            author=author,
            created_at=now,
            updated_at=now,
        )
        .returning(channels.c.id)
    ).scalar_one()
    _set(connection, id, secrets=seal(channel_row(id)))
    return get_channel(connection, id)


def change_channel(
    connection: Connection,
    id: int,
    *,
    name: str | None = None,
    settings: Settings | None = None,
    secrets: tuple[Mapping[str, str], Seal] | None = None,
    enabled: bool | None = None,
) -> ChannelView:
    """Change what is given; `secrets` replaces all of them. What waits to be sent by a channel that is disabled fails.

    Raises NotFound; Conflict when the name is taken, the settings are of another kind, or the secrets that are kept would go
    elsewhere by them; Invalid when they want secrets that are not kept.
    """
    # Locked: else secrets could come between the look at the channel and the other place that they would be sent to.
    connection.execute(select(channels.c.id).where(channels.c.id == id).with_for_update())
    found = get_channel(connection, id)
    values: dict[str, Any] = {"updated_at": read_clock(connection)}
    if name is not None and name != found.name:
        _require_free(connection, name)
        values["name"] = name
    if settings is not None:
        if settings.kind != found.kind:
            raise Conflict(f"channel {id} is a {found.kind} channel and stays one: add another")
        if found.secrets and secrets is None and settings.destination() != found.settings.destination():
            raise Conflict(f"channel {id}: its secrets would be sent elsewhere: give them again")
        if secrets is None:
            require_secrets(settings, found.secrets)
        values["settings"] = settings.model_dump(mode="json")
    if secrets is not None:
        given, seal = secrets
        values |= {"secret_names": sorted(given), "secrets": seal(channel_row(id))}
    if enabled is not None:
        values["enabled"] = enabled
    _set(connection, id, **values)
    if enabled is False:
        drop_pending(connection, id, "the channel was disabled before it was sent")
    return get_channel(connection, id)


def remove_channel(connection: Connection, id: int) -> None:
    """Mark a channel and its rules as removed, and forget its secrets; raises NotFound."""
    get_channel(connection, id)
    now = read_clock(connection)
    _set(connection, id, removed_at=now, secrets=None)
    connection.execute(
        update(rules).where(rules.c.channel_id == id, rules.c.removed_at.is_(None)).values(removed_at=now)
    )
    drop_pending(connection, id, "the channel was removed before it was sent")


def get_channel(connection: Connection, id: int) -> ChannelView:
    """Raises NotFound."""
    row = connection.execute(_shown().where(channels.c.id == id)).first()
    if row is None:
        raise NotFound("channel", id)
    return _view(row)


def list_channels(
    connection: Connection, project_id: int | None = None, after: int = 0, limit: int = 100
) -> list[ChannelView]:
    """Channels with ids above `after`, oldest first: all, or those that a project's rules may use."""
    wanted = _shown().where(channels.c.id > after)
    if project_id is not None:
        wanted = wanted.where(or_(channels.c.project_id.is_(None), channels.c.project_id == project_id))
    return [_view(row) for row in connection.execute(wanted.order_by(channels.c.id).limit(limit))]


def sealed_channel(connection: Connection, id: int) -> bytes | None:
    """The sealed secrets of a channel; raises NotFound."""
    row = connection.execute(
        select(channels.c.secrets).where(channels.c.id == id, channels.c.removed_at.is_(None))
    ).first()
    if row is None:
        raise NotFound("channel", id)
    return row.secrets


def _set(connection: Connection, id: int, **values: Any) -> None:
    connection.execute(update(channels).where(channels.c.id == id).values(values))


def _require_free(connection: Connection, name: str) -> None:
    taken = select(channels.c.id).where(channels.c.name == name, channels.c.removed_at.is_(None))
    if connection.execute(taken).first():
        raise Conflict(f"channel {name!r} exists already: choose another name, or change that channel")


def _shown() -> Select[*tuple[Any, ...]]:
    return (
        select(channels, projects.c.name.label("project_name"))
        .outerjoin(projects, projects.c.id == channels.c.project_id)
        .where(channels.c.removed_at.is_(None))
    )


def _view(row: Row[*tuple[Any, ...]]) -> ChannelView:
    return ChannelView(
        id=row.id,
        project=row.project_id,
        project_name=row.project_name,
        name=row.name,
        kind=row.kind,
        settings=CHANNEL_SETTINGS.validate_python(row.settings),
        secrets=tuple(row.secret_names),
        enabled=row.enabled,
        author=row.author,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
