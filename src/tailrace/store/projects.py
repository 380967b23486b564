"""Projects: rows are kept when they are removed, and their names are free again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from tailrace.domain.access import Caller, Role
from tailrace.domain.address import keep_password, without_password
from tailrace.domain.credentials import Credentials, check_credentials
from tailrace.domain.errors import Conflict, NotFound
from tailrace.domain.hooks import GenericHook
from tailrace.domain.model import Project
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.tables import project as projects


class WebhookTarget(NamedTuple):
    """A project as a webhook sees it; `sealed` is its secret, encrypted, or None; `hook` how generic ones are read."""

    id: int
    repository: str
    sealed: bytes | None
    hook: GenericHook | None = None


def create_project(
    connection: Connection, name: str, repository: str, credentials: Credentials | None = None
) -> Project:
    """A new project; raises Conflict when the name is taken, and Invalid for credentials that do not go with the address."""
    taken = select(projects.c.id).where(projects.c.name == name, projects.c.removed_at.is_(None))
    if connection.execute(taken).first():
        raise Conflict(f"project {name!r} exists already: choose another name, or change that project")
    if credentials is not None:
        check_credentials(repository, credentials)
    values = {"name": name, "repository": repository, "credentials": _kept(credentials)}
    row = connection.execute(insert(projects).values(created_at=now_ms(), **values).returning(projects)).one()
    return _project(row)


def change_project(
    connection: Connection,
    id: int,
    *,
    name: str | None = None,
    repository: str | None = None,
    credentials: Credentials | Literal["keep"] | None = "keep",
    caller: Caller | None = None,
) -> Project:
    """Change what is given; raises NotFound, or Conflict when the name is taken.

    Raises Forbidden for a `caller` who is no admin, and changes the credentials, or the address that some open.

    An address as it is shown, its password blotted out, is the one that there is; raises Invalid for another such, and for
    credentials, given or kept, that do not go with the address. `credentials` None takes them away.
    """
    # Locked: else credentials could come between the look at them and the other address that they would open.
    known = connection.execute(
        select(projects.c.repository, projects.c.credentials)
        .where(projects.c.id == id, projects.c.removed_at.is_(None))
        .with_for_update()
    ).one_or_none()
    if known is None:
        raise NotFound("project", id)
    if repository is not None:
        repository = keep_password(repository, known.repository)
    moved = known.credentials is not None and repository not in (None, known.repository)
    if caller is not None and (moved or credentials != "keep"):
        check_may_open(caller)
    if repository is not None or credentials != "keep":
        wanted = credentials_of(known.credentials) if credentials == "keep" else credentials
        if wanted is not None:
            check_credentials(repository or known.repository, wanted)
    if name is not None:
        taken = select(projects.c.id).where(
            projects.c.name == name, projects.c.removed_at.is_(None), projects.c.id != id
        )
        if connection.execute(taken).first():
            raise Conflict(f"project {name!r} exists already: choose another name")
    values: dict[str, Any] = {
        k: v for k, v in {"name": name, "repository": repository}.items() if v is not None
    }
    if credentials != "keep":
        values["credentials"] = _kept(credentials)
    if values:
        connection.execute(update(projects).where(projects.c.id == id).values(values))
    return get_project(connection, id)


def check_may_open(caller: Caller) -> None:
    """Who says where a secret is shown can have it shown to a machine of their own: raises Forbidden unless they are an admin."""
    caller.check(Role.ADMIN, "the credentials of a project or the address that they open")


def set_webhook_secret(connection: Connection, id: int, sealed: bytes | None) -> None:
    """Keep the sealed secret of a project's webhooks; None refuses webhooks."""
    connection.execute(update(projects).where(projects.c.id == id).values(webhook_secret=sealed))


def set_hook(connection: Connection, id: int, hook: GenericHook | None) -> None:
    """Keep how a project's generic webhooks are read; None: by the usual names. Raises NotFound."""
    get_project(connection, id)
    kept = None if hook is None else hook.model_dump(mode="json", exclude_defaults=True)
    connection.execute(update(projects).where(projects.c.id == id).values(hook=kept))


def get_hook(connection: Connection, id: int) -> GenericHook | None:
    """How a project's generic webhooks are read; None: by the usual names. Raises NotFound."""
    get_project(connection, id)
    return hook_of(connection.execute(select(projects.c.hook).where(projects.c.id == id)).scalar())


def hook_of(kept: object) -> GenericHook | None:
    """The column `hook` as a value."""
    return None if kept is None else GenericHook.model_validate(kept)


def remove_project(connection: Connection, id: int) -> None:
    """Mark a project as removed; its runs and logs stay. Raises NotFound."""
    get_project(connection, id)
    connection.execute(update(projects).where(projects.c.id == id).values(removed_at=read_clock(connection)))


def restore_project(connection: Connection, id: int) -> Project:
    """Bring a removed project back, with its plans, secrets and runs.

    Raises NotFound, and Conflict when it is not removed or another has its name now.
    """
    row = connection.execute(select(projects).where(projects.c.id == id)).first()
    if row is None:
        raise NotFound("project", id)
    if row.removed_at is None:
        raise Conflict(f"project {row.name!r} is not removed")
    taken = select(projects.c.id).where(projects.c.name == row.name, projects.c.removed_at.is_(None))
    if connection.execute(taken).first():
        raise Conflict(f"another project is called {row.name!r} now: rename that one first")
    connection.execute(update(projects).where(projects.c.id == id).values(removed_at=None))
    return get_project(connection, id)


def get_project(connection: Connection, id: int) -> Project:
    """Raises NotFound."""
    row = connection.execute(
        select(projects).where(projects.c.id == id, projects.c.removed_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound("project", id)
    return _project(row)


def list_projects(
    connection: Connection,
    after: int = 0,
    limit: int = 100,
    *,
    removed: bool = False,
    name: str | None = None,
) -> list[Project]:
    """Projects with ids above `after`, oldest first; or those that are `removed`; of this `name`, or of any."""
    there = projects.c.removed_at.is_not(None) if removed else projects.c.removed_at.is_(None)
    if name is not None:
        there &= projects.c.name == name
    rows = connection.execute(
        select(projects).where(there, projects.c.id > after).order_by(projects.c.id).limit(limit)
    )
    return [_project(row) for row in rows]


_LIVE = projects.c.removed_at.is_(None)
_IDS_OF = select(projects.c.id).where(_LIVE, projects.c.name.in_(bindparam("names", expanding=True)))
_AMONG = select(projects.c.id).where(_LIVE, projects.c.id.in_(bindparam("ids", expanding=True)))


def project_ids(connection: Connection, names: Collection[str]) -> frozenset[int]:
    """The projects of these names, those that there are."""
    return frozenset(connection.execute(_IDS_OF, {"names": list(names)}).scalars())


def require_projects(connection: Connection, ids: Collection[int]) -> list[int]:
    """These ids, each once, in order; raises NotFound for one that no project has."""
    known = set(connection.execute(_AMONG, {"ids": list(ids)}).scalars())
    for id in ids:
        if id not in known:
            raise NotFound("project", id)
    return sorted(known)


def find_webhook_target(connection: Connection, key: str) -> WebhookTarget | None:
    """The project that a webhook's URL names, by name or by id; a name wins."""
    for by in (
        projects.c.name == key,
        projects.c.id == int(key) if key.isdecimal() and len(key) < 18 else None,
    ):
        if by is None:
            continue
        row = connection.execute(_TARGET.where(by, projects.c.removed_at.is_(None))).first()
        if row is not None:
            return _target(row)
    return None


def get_webhook_target(connection: Connection, id: int) -> WebhookTarget:
    """The project with this id as a webhook sees it; raises NotFound."""
    get_project(connection, id)
    return _target(connection.execute(_TARGET.where(projects.c.id == id)).one())


_TARGET = select(projects.c.id, projects.c.repository, projects.c.webhook_secret, projects.c.hook)


def _target(row: Row[*tuple[object, ...]]) -> WebhookTarget:
    return WebhookTarget(row.id, row.repository, row.webhook_secret, hook_of(row.hook))


def credentials_of(kept: object) -> Credentials | None:
    """The column `credentials` as a value."""
    return None if kept is None else Credentials.model_validate(kept)


def _kept(credentials: Credentials | None) -> dict[str, Any] | None:
    return None if credentials is None else credentials.model_dump(mode="json", exclude_none=True)


def _project(row: Row[*tuple[object, ...]]) -> Project:
    return Project(
        id=row.id,
        name=row.name,
        repository=without_password(row.repository),
        credentials=credentials_of(row.credentials),
        has_webhook_secret=row.webhook_secret is not None,
        created_at=row.created_at,
        removed_at=row.removed_at,
    )
