"""Secrets: sealed values under names, of one project or for all; a project's own wins over one for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, insert, or_, select, update

from tailrace.domain.errors import NotFound
from tailrace.domain.lease import Lease
from tailrace.domain.model import SecretView
from tailrace.store.clock import read_clock
from tailrace.store.projects import get_project
from tailrace.store.run_secrets import secrets_of_attempts
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs
from tailrace.store.tables import secret as secrets


class SealedSecret(NamedTuple):
    """A secret's value as it is kept; it was sealed for the row called `row`."""

    name: str
    row: str
    value: bytes


class Kept(NamedTuple):
    """A secret that was set; `made`: it is new, and replaced none."""

    secret: SecretView
    made: bool


def secret_row(project_id: int | None, name: str) -> str:
    """The row identity under which a secret is sealed."""
    return f"secret/{'all' if project_id is None else project_id}/{name}"


def set_secret(
    connection: Connection,
    project_id: int | None,
    name: str,
    sealed: bytes,
    *,
    warnings: Sequence[str],
    author: str,
) -> Kept:
    """Make or replace a secret; raises NotFound when there is no such project."""
    if project_id is not None:
        get_project(connection, project_id)
    now = read_clock(connection)
    words = {"value": sealed, "warnings": list(warnings), "author": author, "updated_at": now}
    changed = update(secrets).where(_of(project_id), secrets.c.name == name).values(words)
    id = connection.execute(changed.returning(secrets.c.id)).scalar()
    made = id is None
    if made:
        new = insert(secrets).values(project_id=project_id, name=name, created_at=now, **words)
        id = connection.execute(new.returning(secrets.c.id)).scalar_one()
    row = connection.execute(_SHOWN.where(secrets.c.id == id)).one()
    return Kept(_secret(row), made)


def remove_secret(connection: Connection, id: int) -> None:
    """Forget a secret for good; raises NotFound."""
    if not connection.execute(delete(secrets).where(secrets.c.id == id)).rowcount:
        raise NotFound("secret", id)


def list_secrets(
    connection: Connection, project_id: int | None = None, after: int = 0, limit: int = 100
) -> list[SecretView]:
    """Secrets with ids above `after`, oldest first: all, or those that jobs of one project can have."""
    wanted = _SHOWN.where(
        secrets.c.id > after,
        projects.c.removed_at.is_(None),
        *([] if project_id is None else [or_(_of(None), _of(project_id))]),
    )
    return [_secret(row) for row in connection.execute(wanted.order_by(secrets.c.id).limit(limit))]


def sealed_secrets(connection: Connection, leases: Sequence[Lease]) -> dict[int, tuple[SealedSecret, ...]]:
    """For each attempt whose job wants any: those of its secrets that there are; what its run was given wins.

    Runs from forks get none.
    """
    wanting = {
        lease.attempt: lease.job.secrets for lease in leases if lease.job.secrets and not lease.from_fork
    }
    if not wanting:
        return {}
    names = {name for wanted in wanting.values() for name in wanted}
    rows = connection.execute(_SEALED, {"attempts": list(wanting), "names": list(names)}).all()
    found: defaultdict[int, dict[str, SealedSecret]] = defaultdict(dict)
    for row in sorted(
        rows, key=lambda row: row.project_id is not None
    ):  # a project's own replaces the one for all
        found[row.id][row.name] = SealedSecret(row.name, secret_row(row.project_id, row.name), row.value)
    for attempt, given in secrets_of_attempts(connection, list(wanting)).items():
        found[attempt] |= {name: SealedSecret(name, one.row, one.value) for name, one in given.items()}
    return {
        attempt: tuple(found[attempt][name] for name in wanted if name in found[attempt])
        for attempt, wanted in wanting.items()
    }


def _of(project_id: int | None) -> ColumnElement[bool]:
    return secrets.c.project_id.is_(None) if project_id is None else secrets.c.project_id == project_id


_SHOWN = select(
    secrets.c.id,
    secrets.c.name,
    secrets.c.project_id,
    projects.c.name.label("project_name"),
    secrets.c.author,
    secrets.c.warnings,
    secrets.c.created_at,
    secrets.c.updated_at,
).outerjoin(projects, projects.c.id == secrets.c.project_id)

_SEALED = (
    select(attempts.c.id, secrets.c.project_id, secrets.c.name, secrets.c.value)
    .join(runs, runs.c.id == attempts.c.run_id)
    .join(secrets, or_(secrets.c.project_id.is_(None), secrets.c.project_id == runs.c.project_id))
    .where(
        attempts.c.id.in_(bindparam("attempts", expanding=True)),
        secrets.c.name.in_(bindparam("names", expanding=True)),
    )
)


def _secret(row: Row[*tuple[object, ...]]) -> SecretView:
    return SecretView(
        id=row.id,
        name=row.name,
        project=row.project_id,
        project_name=row.project_name,
        author=row.author,
        warnings=tuple(row.warnings),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
