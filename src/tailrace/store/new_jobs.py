"""The jobs of a run, made when its plan is known."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Connection, insert

from tailrace.domain.errors import MoveRefused
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import JobSpec, Plan
from tailrace.domain.states import JobState
from tailrace.store.aborts import abort_run
from tailrace.store.clock import read_clock
from tailrace.store.jobs import advance_run
from tailrace.store.run_names import run_names
from tailrace.store.tables import job as jobs
from tailrace.store.turns import take_place


class Turned(NamedTuple):
    """The runs that were superseded, and the agents that have to be told."""

    superseded: Sequence[int]
    agents: Sequence[int]


def create_jobs(connection: Connection, run_id: int, plan: Plan, *, from_fork: bool = False) -> None:
    """The jobs of a run, those without needs in the queue at once, when the run has its turn.

    A run from a fork waits for an approval, and takes its turn only then: else a stranger's plan could hold up a group of the
    project's runs, or end them. It leaves nothing in workspaces that are kept.
    """
    now = read_clock(connection)
    rows = [
        {
            "run_id": run_id,
            "position": position,
            "name": spec.name,
            "spec": (_of_stranger(spec) if from_fork else spec).model_dump(mode="json"),
            "state": JobState.WAITING,
            "created_at": now,
        }
        for position, spec in enumerate(plan.jobs.values())
    ]
    if rows:
        connection.execute(insert(jobs), rows)
    if not from_fork:
        take_turn(connection, run_id, plan)
    advance_run(connection, run_id)


def take_turn(connection: Connection, run_id: int, plan: Plan) -> Turned:
    """The run takes its place in its group; those that it supersedes end, or it ends for a younger one."""
    ended: list[int] = []
    told: set[int] = set()
    place = take_place(connection, run_id, plan)
    ending = place.superseded if place.by is None else (run_id,)
    by = f"run {run_names(connection, [place.by or run_id])[0]}" if ending else ""
    for superseded in ending:
        with suppress(MoveRefused):  # it ended while its row was waited for
            told.update(abort_run(connection, superseded, by, Reason.SUPERSEDED_BY))
            ended.append(superseded)
    return Turned(tuple(ended), tuple(sorted(told)))


def _of_stranger(spec: JobSpec) -> JobSpec:
    return spec.model_copy(update={"workspace": "clean"})
