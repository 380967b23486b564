"""Environments: where jobs of a project deploy to, and who says whether they may."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Row, delete, insert, select, update

from tailrace.domain.approvals import EnvironmentView
from tailrace.domain.errors import Conflict, NotFound
from tailrace.store.clock import read_clock
from tailrace.store.projects import require_projects
from tailrace.store.tables import environment as environments
from tailrace.store.tables import project as projects


@dataclass(frozen=True)
class Terms:
    """What an environment asks of jobs, as `EnvironmentView` tells it."""

    approval: bool = True
    approvers: tuple[str, ...] | None = None
    branches: tuple[str, ...] | None = None

    @property
    def row(self) -> dict[str, object]:
        return {
            "approval": self.approval,
            "approvers": None if self.approvers is None else list(self.approvers),
            "branches": None if self.branches is None else list(self.branches),
        }


_VIEWS = select(environments, projects.c.name.label("project_name")).join(
    projects, projects.c.id == environments.c.project_id
)


def create_environment(
    connection: Connection, project_id: int, name: str, terms: Terms, by: str
) -> EnvironmentView:
    """Raises NotFound for the project, Conflict when it has one of that name."""
    require_projects(connection, [project_id])
    taken = select(environments.c.id).where(
        environments.c.project_id == project_id, environments.c.name == name
    )
    if connection.execute(taken).first() is not None:
        raise Conflict(f"project {project_id} has an environment {name!r} already")
    id = connection.execute(
        insert(environments)
        .values(project_id=project_id, name=name, by=by, updated_at=read_clock(connection), **terms.row)
        .returning(environments.c.id)
    ).scalar_one()
    return get_environment(connection, id)


def change_environment(connection: Connection, id: int, terms: Terms, by: str) -> EnvironmentView:
    """What it asks from now on; who waits already, waits. Raises NotFound."""
    changed = connection.execute(
        update(environments)
        .where(environments.c.id == id)
        .values(by=by, updated_at=read_clock(connection), **terms.row)
    )
    if changed.rowcount == 0:
        raise NotFound("environment", id)
    return get_environment(connection, id)


def remove_environment(connection: Connection, id: int) -> None:
    """Jobs that name it ask nobody from now on; who waits already, waits. Raises NotFound."""
    if connection.execute(delete(environments).where(environments.c.id == id)).rowcount == 0:
        raise NotFound("environment", id)


def get_environment(connection: Connection, id: int) -> EnvironmentView:
    """Raises NotFound."""
    row = connection.execute(_VIEWS.where(environments.c.id == id)).first()
    if row is None:
        raise NotFound("environment", id)
    return _view(row)


def list_environments(connection: Connection, project_id: int | None = None) -> list[EnvironmentView]:
    """By project and name."""
    query = _VIEWS.order_by(projects.c.name, environments.c.name)
    if project_id is not None:
        query = query.where(environments.c.project_id == project_id)
    return [_view(row) for row in connection.execute(query)]


def _view(row: Row[*tuple[object, ...]]) -> EnvironmentView:
    return EnvironmentView(
        id=row.id,
        project=row.project_id,
        project_name=row.project_name,
        name=row.name,
        approval=row.approval,
        approvers=None if row.approvers is None else tuple(row.approvers),
        branches=None if row.branches is None else tuple(row.branches),
        by=row.by,
        updated_at=row.updated_at,
    )
