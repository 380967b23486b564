"""Retention: which logs have been kept long enough, and their removal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select, true, update

from tailrace.domain.sizes import size_words
from tailrace.domain.states import LOG, RUN_ENDED
from tailrace.store.clock import read_clock
from tailrace.store.moves import move_all
from tailrace.store.segments import forget_segments
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import log as logs
from tailrace.store.tables import project as projects
from tailrace.store.tables import run as runs
from tailrace.store.tables import segment as segments

_DAY_MS = 24 * 3600 * 1000


class Rules(NamedTuple):
    """How long logs are kept; 0 is for ever: days after their run's end, newest runs of each plan, bytes of archive."""

    days: int = 0
    runs: int = 0
    bytes: int = 0


class Expired(NamedTuple):
    """A log that a rule takes: `bytes` is what it has in the archive, `why` a sentence for people."""

    log_id: int
    run_id: int
    bytes: int
    why: str
    project_name: str
    run_number: int


_ENDED = runs.c.state.in_([state.value for state in RUN_ENDED])
_REMOVABLE = and_(logs.c.state.in_(LOG.sources("remove")), logs.c.sealed_at.is_not(None), _ENDED)
_ARCHIVED = func.coalesce(
    select(func.sum(segments.c.size)).where(segments.c.log_id == logs.c.id).scalar_subquery(), 0
)
_LOGS = (
    select(logs.c.id, attempts.c.run_id, _ARCHIVED, runs.c.finished_at, projects.c.name, runs.c.number)
    .join(attempts, attempts.c.log_id == logs.c.id)
    .join(runs, runs.c.id == attempts.c.run_id)
    .join(projects, projects.c.id == runs.c.project_id)
    .where(_REMOVABLE)
    .order_by(runs.c.finished_at, runs.c.id, logs.c.id)
)


class _Kept(NamedTuple):
    log_id: int
    run_id: int
    bytes: int
    finished_at: int
    project_name: str
    run_number: int


def find_expired(connection: Connection, rules: Rules) -> list[Expired]:
    """The logs that these rules take, those of the run that ended first before others; none of a run that goes on."""
    found: dict[_Kept, str] = {}
    if rules.days:
        before = read_clock(connection) - rules.days * _DAY_MS
        for log in _kept(connection, runs.c.finished_at <= before):
            found[log] = f"its run ended more than {rules.days} days ago"
    if rules.runs:
        place = func.row_number().over(partition_by=runs.c.plan_id, order_by=runs.c.id.desc())
        ranked = select(runs.c.id, place.label("place")).where(_ENDED).subquery()
        beyond = select(ranked.c.id).where(ranked.c.place > rules.runs)
        for log in _kept(connection, runs.c.id.in_(beyond)):
            found.setdefault(log, f"its plan keeps the logs of its newest {rules.runs} runs")
    if rules.bytes:
        held = int(connection.execute(select(func.coalesce(func.sum(segments.c.size), 0))).scalar_one())
        held -= sum(log.bytes for log in found)
        for log in _kept(connection, true()) if held > rules.bytes else ():
            if held <= rules.bytes:
                break
            if log not in found:
                found[log] = f"the archive keeps at most {size_words(rules.bytes)}"
                held -= log.bytes
    order = sorted(found, key=lambda log: (log.finished_at, log.run_id, log.log_id))
    return [
        Expired(log.log_id, log.run_id, log.bytes, found[log], log.project_name, log.run_number)
        for log in order
    ]


def _kept(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[_Kept]:
    for log, run, size, *others in connection.execute(_LOGS.where(wanted)):
        yield _Kept(log, run, int(size), *others)


def remove_log(connection: Connection, log_id: int, why: str) -> bool:
    """Remove a log that the archive holds wholly: its row stays, its objects become orphans.

    False when it is not there to be removed (any more).
    """
    sealed = select(logs.c.id).where(logs.c.id == log_id, logs.c.sealed_at.is_not(None))
    if connection.execute(sealed.with_for_update()).first() is None:
        return False
    if not move_all(connection, logs, LOG, [log_id], "remove"):
        return False
    connection.execute(
        update(logs).where(logs.c.id == log_id).values(removed_at=read_clock(connection), removed_why=why)
    )
    forget_segments(connection, log_id)
    return True
