"""Retention of artifacts: which have been kept long enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, true

from tailrace.domain.sizes import size_words
from tailrace.domain.states import RUN_ENDED
from tailrace.store.clock import read_clock
from tailrace.store.tables import artifact as artifacts
from tailrace.store.tables import artifact_kept
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs

_DAY_MS = 24 * 3600 * 1000


class ArtifactRules(NamedTuple):
    """How long artifacts are kept of which a plan does not say it (days), and how many bytes of all; 0 is no limit."""

    days: int = 0
    bytes: int = 0


class ExpiredArtifact(NamedTuple):
    """An artifact that a rule takes: `why` is a sentence for people."""

    id: int
    run_id: int
    path: str
    bytes: int
    why: str
    project_name: str
    run_number: int


class _Kept(NamedTuple):
    id: int
    run_id: int
    path: str
    bytes: int
    finished_at: int
    project_name: str
    run_number: int


_KEPT = (
    select(
        artifacts.c.id,
        artifacts.c.run_id,
        artifacts.c.path,
        artifacts.c.size,
        runs.c.finished_at,
        projects.c.name,
        runs.c.number,
    )
    .join(runs, runs.c.id == artifacts.c.run_id)
    .join(projects, projects.c.id == runs.c.project_id)
    .where(artifact_kept, runs.c.state.in_([state.value for state in RUN_ENDED]))
    .order_by(runs.c.finished_at, artifacts.c.id)
)


def find_expired_artifacts(connection: Connection, rules: ArtifactRules) -> list[ExpiredArtifact]:
    """What the rules take, of the run that ended first before others; nothing of a run that goes on."""
    now = read_clock(connection)
    found: dict[_Kept, str] = {}
    for one in _kept(connection, artifacts.c.keep_until <= now):
        found[one] = "the time for which its plan keeps it is over"
    if rules.days:
        before = now - rules.days * _DAY_MS
        for one in _kept(connection, artifacts.c.keep_until.is_(None) & (artifacts.c.created_at <= before)):
            found[one] = f"it was kept for {rules.days} days"
    if rules.bytes:
        total = select(func.coalesce(func.sum(artifacts.c.size), 0)).where(artifact_kept)
        held = int(connection.execute(total).scalar_one()) - sum(one.bytes for one in found)
        for one in _kept(connection, true()) if held > rules.bytes else ():
            if held <= rules.bytes:
                break
            if one not in found:
                found[one] = f"at most {size_words(rules.bytes)} of artifacts are kept"
                held -= one.bytes
    order = sorted(found, key=lambda one: (one.finished_at, one.id))
    return [
        ExpiredArtifact(one.id, one.run_id, one.path, one.bytes, found[one], one.project_name, one.run_number)
        for one in order
    ]


def _kept(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[_Kept]:
    for row in connection.execute(_KEPT.where(wanted)):
        yield _Kept._make(row)
