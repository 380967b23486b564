"""Artifacts: announced by a runner, kept when the archive holds them, listed, removed."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, tuple_, update

from tailrace.domain.artifacts import MAX_FILES, Announcement, Kept, Offered
from tailrace.domain.errors import ArtifactRemoved, LeaseLost, NotFound, TooLarge
from tailrace.domain.model import ArtifactView
from tailrace.domain.plan import JobSpec
from tailrace.domain.states import AttemptState
from tailrace.store.clock import read_clock
from tailrace.store.segments import add_orphans, claim_orphan
from tailrace.store.tables import artifact as artifacts
from tailrace.store.tables import artifact_kept
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import job as jobs

_CARRIED = (AttemptState.LEASED, AttemptState.RUNNING)


class Carrier(NamedTuple):
    """Whose runner calls: an attempt, and the agent that holds it or held it last."""

    attempt_id: int
    run_id: int
    job_id: int
    agent_id: int | None
    cookie: str
    state: AttemptState
    job: JobSpec

    def check_held(self) -> None:
        """Raises LeaseLost when no agent holds it (any more)."""
        if self.state not in _CARRIED:
            why = f"it is {self.state}: its artifacts are neither taken nor given any more"
            raise LeaseLost(self.attempt_id, why)


class Upload(NamedTuple):
    """A file that is to come, and the key under which it is put into the archive; None: it is there already."""

    size: int
    sha256: str
    key: str | None


class Stored(NamedTuple):
    """What the archive holds of an artifact."""

    id: int
    path: str
    size: int
    sha256: str
    key: str


class InZip(NamedTuple):
    """An artifact with what a zip says of it: times are ms since the epoch."""

    stored: Stored
    job_name: str
    executable: bool
    created_at: int


_CARRIER = (
    select(attempts.c.run_id, attempts.c.job_id, attempts.c.agent_id, attempts.c.cookie, attempts.c.state)
    .add_columns(jobs.c.spec)
    .join(jobs, jobs.c.id == attempts.c.job_id)
    .where(attempts.c.id == bindparam("attempt"))
)
_OF_ATTEMPT = select(artifacts).where(
    artifacts.c.attempt_id == bindparam("attempt"), artifacts.c.removed_at.is_(None)
)
_STORED = select(*(artifacts.c[name] for name in Stored._fields)).where(artifact_kept)
_VIEWS = (
    select(artifacts, jobs.c.name.label("job_name"), attempts.c.number.label("attempt"))
    .join(jobs, jobs.c.id == artifacts.c.job_id)
    .join(attempts, attempts.c.id == artifacts.c.attempt_id)
)
_ORDER = (artifacts.c.job_id, artifacts.c.attempt_id, artifacts.c.path)
_LAST_ATTEMPT = (
    select(func.max(attempts.c.id)).where(attempts.c.job_id == artifacts.c.job_id).scalar_subquery()
)


def find_carrier(connection: Connection, attempt_id: int) -> Carrier | None:
    """None for an attempt that is unknown here."""
    row = connection.execute(_CARRIER, {"attempt": attempt_id}).first()
    if row is None:
        return None
    state, spec = AttemptState(row.state), JobSpec.model_validate(row.spec)
    return Carrier(attempt_id, row.run_id, row.job_id, row.agent_id, row.cookie, state, spec)


def announce(connection: Connection, carrier: Carrier, said: Announcement, most_bytes: int) -> list[Kept]:
    """Write down what a step wants kept; the same announcement again changes nothing, another file of a path replaces it.

    Raises TooLarge when the attempt would have more than MAX_FILES files or `most_bytes` bytes: then nothing is written down.
    """
    held = {row.path: row for row in connection.execute(_OF_ATTEMPT, {"attempt": carrier.attempt_id})}
    files = {file.path: file for file in said.files}
    same = {
        path
        for path, file in files.items()
        if path in held and (held[path].sha256, held[path].size) == (file.sha256, file.size)
    }
    sizes = {path: row.size for path, row in held.items()} | {path: file.size for path, file in files.items()}
    _check_limits(sizes, most_bytes)
    now = read_clock(connection)
    until = None if said.keep_s is None else now + said.keep_s * 1000
    for path in files.keys() - same:
        if path in held:
            _remove(connection, held[path], "a later step of its job kept another file of this name", now)
    new = [file for path, file in files.items() if path not in same]
    if new:
        own = {"run_id": carrier.run_id, "job_id": carrier.job_id, "attempt_id": carrier.attempt_id}
        terms = {"created_at": now, "keep_until": until}
        connection.execute(insert(artifacts), [{**own, **terms, **file.model_dump()} for file in new])
    found = {row.path: row for row in connection.execute(_OF_ATTEMPT, {"attempt": carrier.attempt_id})}
    return [Kept(id=found[path].id, path=path, wanted=found[path].key is None) for path in files]


def begin_upload(connection: Connection, attempt_id: int, id: int) -> Upload:
    """The file's bytes are about to come; its key is written down as an orphan first. Raises NotFound."""
    row = connection.execute(
        _OF_ATTEMPT.where(artifacts.c.id == bindparam("id")), {"attempt": attempt_id, "id": id}
    ).first()
    if row is None:
        raise NotFound(f"announced artifact of attempt {attempt_id} with id", id)
    if row.key is not None:
        return Upload(row.size, row.sha256, None)
    key = f"artifacts/{row.run_id}/{id}-{secrets.token_hex(4)}"
    add_orphans(connection, [key], at=read_clock(connection))
    return Upload(row.size, row.sha256, key)


def finish_upload(connection: Connection, attempt_id: int, id: int, key: str) -> tuple[bool, bool]:
    """The archive holds the file under this key: whether that counts, and whether all that was announced is here now.

    It does not count when it took so long that the object was taken away as nobody's; and when another try was quicker: then
    the object is an orphan.
    """
    wanted = (artifacts.c.id == id, artifacts.c.key.is_(None), artifacts.c.removed_at.is_(None))
    if not claim_orphan(connection, key):
        return False, False
    stored = update(artifacts).where(*wanted).values(key=key, stored_at=read_clock(connection))
    if connection.execute(stored).rowcount == 0:
        add_orphans(connection, [key], at=0)
        return True, False
    missing = _OF_ATTEMPT.where(artifacts.c.key.is_(None)).limit(1)
    return True, connection.execute(missing, {"attempt": attempt_id}).first() is None


def offer(connection: Connection, carrier: Carrier, job: str) -> list[Offered]:
    """The artifacts of the last attempt at a job that the carrier's job needs. Raises NotFound."""
    if job not in carrier.job.needs:
        raise NotFound(f"job that {carrier.job.name} needs by the name of", job)
    named = select(jobs.c.id).where(jobs.c.run_id == carrier.run_id, jobs.c.name == job).scalar_subquery()
    wanted = (artifacts.c.run_id == carrier.run_id, artifacts.c.job_id == named)
    rows = connection.execute(
        select(artifacts)
        .where(artifact_kept, *wanted, artifacts.c.attempt_id == _LAST_ATTEMPT)
        .order_by(artifacts.c.path)
    )
    return [
        Offered(id=row.id, path=row.path, size=row.size, sha256=row.sha256, executable=row.executable)
        for row in rows
    ]


def find_offered(connection: Connection, carrier: Carrier, id: int) -> Stored:
    """An artifact that the carrier's job may fetch. Raises NotFound."""
    mine = select(jobs.c.id).where(jobs.c.run_id == carrier.run_id, jobs.c.name.in_(carrier.job.needs))
    query = _STORED.where(
        artifacts.c.id == id, artifacts.c.run_id == carrier.run_id, artifacts.c.job_id.in_(mine)
    )
    return _one(connection, query, id)


def list_artifacts(
    connection: Connection, run_id: int, job: str | None = None, after: int | None = None, limit: int = 1000
) -> list[ArtifactView]:
    """What jobs of a run (or the one of this name) kept, by job, attempt and path; `after` is the id of one of them."""
    query = _VIEWS.where(artifact_kept, artifacts.c.run_id == run_id)
    if after is not None:
        last = connection.execute(select(*_ORDER).where(artifacts.c.id == after)).first()
        query = query.where(tuple_(*_ORDER) > tuple_(*last)) if last is not None else query
    if job is not None:
        query = query.where(jobs.c.name == job)
    return [_view(row) for row in connection.execute(query.order_by(*_ORDER).limit(limit))]


def get_artifact(connection: Connection, id: int) -> ArtifactView:
    """Raises NotFound, ArtifactRemoved."""
    find_stored(connection, id)
    return _view(connection.execute(_VIEWS.where(artifacts.c.id == id)).one())


def find_stored(connection: Connection, id: int) -> Stored:
    """Where an artifact's bytes are. Raises NotFound, ArtifactRemoved."""
    return _one(connection, _STORED.where(artifacts.c.id == id), id)


def find_place(connection: Connection, id: int) -> tuple[int, str]:
    """An artifact's attempt and path. Raises NotFound, ArtifactRemoved."""
    path = find_stored(connection, id).path
    attempt = select(artifacts.c.attempt_id).where(artifacts.c.id == id)
    return connection.execute(attempt).scalar_one(), path


def find_in_attempt(connection: Connection, attempt_id: int, path: str) -> Stored | None:
    """The artifact of an attempt with this path."""
    query = _STORED.where(artifacts.c.attempt_id == attempt_id, artifacts.c.path == path)
    row = connection.execute(query.where(artifacts.c.removed_at.is_(None))).first()
    return None if row is None else Stored._make(row)


def list_for_zip(connection: Connection, run_id: int, job: str | None) -> list[InZip]:
    """What the last attempts of a run's jobs kept (or of one job), by job and path."""
    extra = (jobs.c.name.label("job_name"), artifacts.c.executable, artifacts.c.created_at)
    query = (
        _STORED.add_columns(*extra)
        .join(jobs, jobs.c.id == artifacts.c.job_id)
        .where(artifacts.c.run_id == run_id, artifacts.c.attempt_id == _LAST_ATTEMPT)
        .order_by(*_ORDER)
    )
    if job is not None:
        query = query.where(jobs.c.name == job)
    width = len(Stored._fields)
    return [InZip(Stored._make(tuple(row)[:width]), *tuple(row)[width:]) for row in connection.execute(query)]


def remove_artifact(connection: Connection, id: int, why: str) -> int | None:
    """Remove an artifact: its row stays, its object becomes an orphan. Its run's id; None when it is not there (any more)."""
    row = connection.execute(
        select(artifacts).where(artifacts.c.id == id, artifacts.c.removed_at.is_(None)).with_for_update()
    ).first()
    if row is None:
        return None
    _remove(connection, row, why, read_clock(connection))
    return row.run_id


def forget_unfinished(connection: Connection) -> int:
    """Delete what was announced by attempts that have ended, and never came; returns how many."""
    ended = select(attempts.c.id).where(attempts.c.finished_at.is_not(None))
    never = (artifacts.c.stored_at.is_(None), artifacts.c.attempt_id.in_(ended))
    return connection.execute(delete(artifacts).where(*never)).rowcount


def _check_limits(sizes: dict[str, int], most_bytes: int) -> None:
    if len(sizes) > MAX_FILES:
        raise TooLarge(
            f"the job would keep {len(sizes):,} files, and a job may keep {MAX_FILES:,}:"
            " name fewer, or pack them into one"
        )
    total = sum(sizes.values())
    if total > most_bytes:
        raise TooLarge(
            f"the job would keep {total:,} bytes, and a job may keep {most_bytes:,} (setting artifact_limit)"
        )


def _remove(connection: Connection, row: Row[*tuple[object, ...]], why: str, now: int) -> None:
    if row.key is not None:
        add_orphans(connection, [row.key], at=0)
    gone = update(artifacts).where(artifacts.c.id == row.id)
    connection.execute(gone.values(key=None, removed_at=now, removed_why=why))


def _one(connection: Connection, query: Select[*tuple[object, ...]], id: int) -> Stored:
    row = connection.execute(query).first()
    if row is not None:
        return Stored._make(row)
    gone = connection.execute(
        select(artifacts.c.path, artifacts.c.removed_at, artifacts.c.removed_why).where(artifacts.c.id == id)
    ).first()
    if gone is not None and gone.removed_at is not None:
        raise ArtifactRemoved(id, gone.path, gone.removed_at, gone.removed_why or "")
    raise NotFound("artifact", id)


def _view(row: Row[*tuple[object, ...]]) -> ArtifactView:
    return ArtifactView(
        id=row.id,
        run=row.run_id,
        job=row.job_id,
        job_name=row.job_name,
        attempt=row.attempt,
        path=row.path,
        size=row.size,
        sha256=row.sha256,
        executable=row.executable,
        created_at=row.created_at,
        keep_until=row.keep_until,
    )
