"""Pages of runs: the same as if every run were looked at, and found without doing so."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert

from tailrace.domain.states import RUN_ENDED, RunState
from tailrace.store.run_pages import Wanted, find_page
from tailrace.store.tables import run as runs
from tailrace.store.tables.run_indexes import ENDED
from tests.unit.store.world import a_plan, a_project

ANYTHING = Wanted(None, None, None, None, None, None, 7)


class Population:
    """Four hundred runs of two projects with two plans each, on three branches, in every state."""

    def __init__(self, connection: Connection) -> None:
        dice = random.Random(5)
        self.projects = [a_project(connection) for _ in range(2)]
        plans = {p: [a_plan(connection, p, name) for name in ("a", "b")] for p in self.projects}
        self.plans = [plan for both in plans.values() for plan in both]
        rows: list[dict[str, Any]] = []
        for number in range(400):
            project = dice.choice(self.projects)
            state = dice.choice(list(RunState))
            rows.append(
                {
                    "number": number,
                    "project_id": project,
                    "plan_id": dice.choice(plans[project]),
                    "trigger_id": dice.choice([None, 1, 2]),
                    "trigger_kind": "webhook",
                    "trigger_event": "push",
                    "branch": dice.choice([None, "main", "next"]),
                    "variables": {},
                    "state": state,
                    "created_at": number,
                    "finished_at": number if state in RUN_ENDED else None,
                }
            )
        made = connection.execute(insert(runs).returning(runs.c.id, sort_by_parameter_order=True), rows)
        self.rows = [{**row, "id": id} for row, id in zip(rows, made.scalars(), strict=True)]

    def expected(self, wanted: Wanted) -> list[int]:
        asked = {
            "state": wanted.state,
            "project_id": wanted.project,
            "plan_id": wanted.plan,
            "branch": wanted.branch,
            "trigger_id": wanted.trigger,
        }
        fits = [
            row["id"]
            for row in self.rows
            if all(value is None or row[name] == value for name, value in asked.items())
            and (wanted.before is None or row["id"] < wanted.before)
        ]
        return sorted(fits, reverse=True)[: wanted.limit]


def test_a_page_is_what_a_look_at_every_run_would_give(connection: Connection) -> None:
    """Every combination of filters, from the first page to the last."""
    crowd = Population(connection)
    for state, project, plan, branch, trigger in itertools.product(
        (None, RunState.RUNNING, RunState.FAILED),
        (None, crowd.projects[0]),
        (None, crowd.plans[0], crowd.plans[3]),
        (None, "main", "gone"),
        (None, 2),
    ):
        wanted = ANYTHING._replace(state=state, project=project, plan=plan, branch=branch, trigger=trigger)
        while page := find_page(connection, wanted):
            assert page == crowd.expected(wanted), wanted
            wanted = wanted._replace(before=page[-1])
        assert crowd.expected(wanted) == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("columns", "state"),
    [
        *((columns, RunState.PASSED) for columns in ENDED),
        *((columns, None) for columns in ENDED if len(columns) > 1),
    ],
)
def test_ended_runs_are_found_by_all_that_is_asked_for_at_once(
    connection: Connection, columns: tuple[str, ...], state: RunState | None
) -> None:
    """No row is read that is not wanted: it would take as long as there are runs."""
    crowd = Population(connection)
    values = {
        "project": crowd.projects[0] if "project_id" in columns else None,
        "plan": crowd.plans[0] if "plan_id" in columns else None,
        "branch": "main" if "branch" in columns else None,
    }
    asked: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", hear)
    find_page(connection, ANYTHING._replace(state=state, before=10**6, **values))
    event.remove(connection, "before_cursor_execute", hear)
    ended = [one for one in asked if "finished_at IS NOT NULL" in one[0]]
    assert len(ended) == (len(RUN_ENDED) if state is None else 1)
    for statement, parameters in ended:
        (step,) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        terms = " AND ".join(f"{name}=?" for name in (*columns, "state"))
        assert f"{ENDED[columns].name} ({terms} AND id<?)" in step[3]
