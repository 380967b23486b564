"""Protected labels: which projects' runs may use them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from tailrace.domain.errors import NotFound
from tailrace.domain.model import ProtectedLabelView
from tailrace.domain.trust import Protected
from tailrace.store.clock import read_clock
from tailrace.store.projects import require_projects
from tailrace.store.tables import protected_label

_ALL = select(protected_label).order_by(protected_label.c.name)
_WHO_MAY = select(protected_label.c.name, protected_label.c.projects)


def protect_label(
    connection: Connection, name: str, projects: Sequence[int], by: str, why: str | None = None
) -> None:
    """Let only these projects use a label from now on, in place of those that could; raises NotFound for an unknown one."""
    known = require_projects(connection, projects)
    connection.execute(delete(protected_label).where(protected_label.c.name == name))
    connection.execute(
        insert(protected_label).values(name=name, projects=known, by=by, why=why, at=read_clock(connection))
    )


def unprotect_label(connection: Connection, name: str) -> None:
    """Let any project use a label; raises NotFound when it is not protected."""
    if connection.execute(delete(protected_label).where(protected_label.c.name == name)).rowcount == 0:
        raise NotFound("protected label", name)


def list_protected(connection: Connection) -> list[ProtectedLabelView]:
    """All protected labels, by name."""
    return [
        ProtectedLabelView(name=row.name, projects=tuple(row.projects), by=row.by, why=row.why, at=row.at)
        for row in connection.execute(_ALL)
    ]


def who_may(connection: Connection) -> Protected:
    """The protected labels, with the projects that may use each."""
    return {row.name: frozenset(row.projects) for row in connection.execute(_WHO_MAY)}
