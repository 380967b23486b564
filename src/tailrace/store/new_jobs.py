"""The jobs of a run, made when its plan is known."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection, insert

from tailrace.domain.errors import MoveRefused
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import Plan
from tailrace.domain.states import JobState
from tailrace.store.aborts import abort_run
from tailrace.store.clock import read_clock
from tailrace.store.jobs import advance_run
from tailrace.store.tables import job as jobs
from tailrace.store.turns import take_place


def create_jobs(connection: Connection, run_id: int, plan: Plan) -> None:
    """The jobs of a run, those without needs in the queue at once, when the run has its turn."""
    now = read_clock(connection)
    rows = [
        {
            "run_id": run_id,
            "position": position,
            "name": spec.name,
            "spec": spec.model_dump(mode="json"),
            "state": JobState.WAITING,
            "created_at": now,
        }
        for position, spec in enumerate(plan.jobs.values())
    ]
    if rows:
        connection.execute(insert(jobs), rows)
    for superseded in take_place(connection, run_id, plan):
        with suppress(MoveRefused):  # it ended while its row was waited for
            abort_run(connection, superseded, f"run {run_id}", Reason.SUPERSEDED_BY)
    advance_run(connection, run_id)
