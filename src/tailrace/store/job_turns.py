"""Turns of jobs: those of one concurrency group are under way one after the other, also those of different runs; and of a matrix
no more at once than its plan says.

A job takes its place when nothing else holds it back, and gives it up when it has ended: `place` is set while it is in line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Row, and_, bindparam, func, or_, select, update

from tailrace.domain.plan import Concurrency
from tailrace.domain.plan.turns import resolve_group
from tailrace.domain.progress import UNDER_WAY
from tailrace.domain.states import JobState
from tailrace.store.run_names import run_names
from tailrace.store.tables import job as jobs
from tailrace.store.tables import job_in_turn
from tailrace.store.tables import run as runs
from tailrace.store.turns import AboutRun, about_run, lock_group

_PLACES = select(jobs.c.id, jobs.c.name, jobs.c.concurrency, jobs.c.place).where(
    jobs.c.id.in_(bindparam("jobs", expanding=True))
)
_IN_LINE = (
    select(jobs.c.id, jobs.c.run_id, jobs.c.name, jobs.c.state, jobs.c.place)
    .where(job_in_turn, jobs.c.concurrency == bindparam("name"))
    .order_by(jobs.c.place)
)
_AHEAD = _IN_LINE.where(jobs.c.place < bindparam("place"), jobs.c.finished_at.is_(None))
_YOUNGER = (
    select(func.max(jobs.c.run_id))
    .join(runs, runs.c.id == jobs.c.run_id)
    .where(
        runs.c.project_id == bindparam("project"),
        runs.c.id > bindparam("run"),
        jobs.c.concurrency == bindparam("name"),
        or_(
            jobs.c.finished_at.is_(None),
            # Of what has ended only this very job, of this plan and branch: another one has not done its work.
            and_(
                jobs.c.state == JobState.PASSED.value,
                jobs.c.name == bindparam("job"),
                runs.c.plan_id == bindparam("plan"),
                runs.c.ref.is_not_distinct_from(bindparam("ref")),
                runs.c.branch.is_not_distinct_from(bindparam("branch")),
            ),
        ),
    )
)
_LAST = select(func.max(jobs.c.place)).where(job_in_turn, jobs.c.concurrency == bindparam("name"))
_TAKE = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"))
    .values(concurrency=bindparam("group"), place=bindparam("at"))
)
_LEAVE = (
    update(jobs)
    .where(jobs.c.run_id == bindparam("run"), job_in_turn, jobs.c.finished_at.is_not(None))
    .values(place=None)
    .returning(jobs.c.concurrency)
)
_JOBS = select(jobs.c.id, jobs.c.state, jobs.c.spec).where(jobs.c.run_id == bindparam("run"))
_WAITING = select(jobs.c.id, jobs.c.concurrency, jobs.c.place).where(
    jobs.c.run_id == bindparam("run"), job_in_turn, jobs.c.state == JobState.WAITING.value
)


class Superseded(NamedTuple):
    """These jobs of a run end for one of another run, which is called `by`."""

    run_id: int
    jobs: Sequence[int]
    by: str


class Line(NamedTuple):
    """Jobs that have to wait for their turn; and those that end, of other runs or of the one whose jobs they are."""

    waiting: Collection[int]
    superseded: Sequence[Superseded]


class JobTurn(NamedTuple):
    """What a job waits for: its group's name, and the job that has its turn, such as `job deploy of run shop#3`."""

    group: str
    holder: str


class FullMatrix(NamedTuple):
    """What a job of a matrix waits for: `most` of its jobs are under way."""

    matrix: str
    most: int


NO_LINE = Line((), ())


def take_job_turns(connection: Connection, run_id: int, wanting: Mapping[int, Concurrency]) -> Line:
    """Jobs of a run that could begin take their place in their groups, unless they have one.

    Who takes a place keeps the group locked until the transaction ends, so that two cannot both be the next.
    """
    rows = {row.id: row for row in connection.execute(_PLACES, {"jobs": list(wanting)})}
    about = about_run(connection, run_id)
    waiting: set[int] = set()
    superseded: list[Superseded] = []
    for job_id, group in wanting.items():
        row = rows[job_id]
        name, place = row.concurrency, row.place
        if place is None:
            again = name is not None  # people want it, whatever came after it
            name = f"jobs of project {about.project_id}: {resolve_group(group.group, about.values)}"
            if (
                group.cancel_superseded
                and not again
                and (by := _younger(connection, run_id, about, row.name, name))
            ):
                superseded.append(Superseded(run_id, (job_id,), by))
                connection.execute(_TAKE, {"job": job_id, "group": name, "at": None})
                continue
            place = _take_last_place(connection, job_id, name)
            if group.cancel_superseded:
                by = f"run {run_names(connection, [run_id])[0]}"
                for one in _ahead(connection, name, place):
                    if one.run_id < run_id:
                        superseded.append(Superseded(one.run_id, (one.id,), by))
        if _ahead(connection, name, place):
            waiting.add(job_id)
    return Line(waiting, superseded)


def next_jobs_in_turn(connection: Connection, run_id: int) -> Sequence[int]:
    """Jobs of a run that have ended leave their groups; the runs of the jobs that are next there."""
    found: list[int] = []
    for name in sorted(set(connection.execute(_LEAVE, {"run": run_id}).scalars())):
        lock_group(connection, name)
        first = connection.execute(_IN_LINE.limit(1), {"name": name}).first()
        if first is not None and first.state == JobState.WAITING and first.run_id not in found:
            found.append(first.run_id)
    return found


def job_turns(connection: Connection, run_id: int) -> dict[int, JobTurn]:
    """What the jobs of a run wait for that are in line and have not got their turn, by their ids."""
    turns: dict[int, JobTurn] = {}
    for row in connection.execute(_WAITING, {"run": run_id}).all():
        for one in _ahead(connection, row.concurrency, row.place)[:1]:
            of_run = f" of run {run_names(connection, [one.run_id])[0]}" if one.run_id != run_id else ""
            turns[row.id] = JobTurn(row.concurrency, f"job {one.name}{of_run}")
    return turns


def group_within(name: str) -> str:
    """What its project's plans call the group of jobs that has this name."""
    return name.partition(": ")[2]


def full_matrices(connection: Connection, run_id: int) -> dict[int, FullMatrix]:
    """The waiting jobs of a run whose matrix has as many under way as may be, by their ids."""
    rows = connection.execute(_JOBS, {"run": run_id}).all()
    under_way = Counter(row.spec.get("matrix_of") for row in rows if row.state in UNDER_WAY)
    return {
        row.id: FullMatrix(row.spec["matrix_of"], most)
        for row in rows
        if row.state == JobState.WAITING
        and (most := row.spec.get("max_parallel")) is not None
        and under_way[row.spec["matrix_of"]] >= most
    }


def _take_last_place(connection: Connection, job_id: int, name: str) -> int:
    lock_group(connection, name)
    place = (connection.execute(_LAST, {"name": name}).scalar() or 0) + 1
    connection.execute(_TAKE, {"job": job_id, "group": name, "at": place})
    return place


def _younger(connection: Connection, run_id: int, about: AboutRun, job: str, name: str) -> str | None:
    """The newest run that came after this one and whose job is in this group, or of which this job has passed in it."""
    lock_group(connection, name)
    own = connection.execute(select(runs.c.ref, runs.c.branch).where(runs.c.id == run_id)).one()
    these = {"project": about.project_id, "plan": about.plan_id, "run": run_id, "job": job, "name": name}
    these |= {"ref": own.ref, "branch": own.branch}
    found = connection.execute(_YOUNGER, these).scalar()
    return None if found is None else f"run {run_names(connection, [found])[0]}"


def _ahead(connection: Connection, name: str, place: int) -> Sequence[Row[*tuple[object, ...]]]:
    return connection.execute(_AHEAD, {"name": name, "place": place}).all()
