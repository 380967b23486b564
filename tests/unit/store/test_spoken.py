"""Of the runs of a commit one speaks: the newest of its plan and kind of event, of those of the repository where it has some."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from tailrace.domain.events import EventKind
from tailrace.store.spoken import spoken_for
from tests.unit.store.world import PUSH, a_job, a_plan, a_planning_run, a_project, a_run

PULL = PUSH.model_copy(update={"kind": EventKind.PULL_REQUEST, "ref": "refs/pull/7/head"})
FORKS = PULL.model_copy(update={"from_fork": True, "ref": "refs/pull/8/head"})


def test_a_newer_run_speaks_for_the_jobs_that_it_has(connection: Connection) -> None:
    """For those that it has not the older one goes on to."""
    plan = a_plan(connection)
    older = a_run(connection, a_job("a"), a_job("b"), plan_id=plan)
    newer = a_run(connection, a_job("b"), a_job("c"), plan_id=plan)
    a_planning_run(connection, plan_id=plan)
    assert spoken_for(connection, older) == {"b", "c"}
    assert spoken_for(connection, newer) == frozenset()


@pytest.mark.parametrize("update", [{"revision": "b" * 40}, {"revision": None}, {"kind": EventKind.TAG}])
def test_another_commit_or_event_is_another_thing(connection: Connection, update: dict[str, Any]) -> None:
    """And so is another plan."""
    project = a_project(connection)
    plan = a_plan(connection, project)
    run = a_run(connection, plan_id=plan)
    a_run(connection, plan_id=plan, event=PUSH.model_copy(update=update))
    a_run(connection, plan_id=a_plan(connection, project, "other"))
    assert spoken_for(connection, run) == frozenset()


def test_the_repository_s_own_speak_before_those_of_forks(connection: Connection) -> None:
    """Whichever came first."""
    plan = a_plan(connection)
    runs = [a_run(connection, plan_id=plan, event=event) for event in (FORKS, PULL, FORKS)]
    assert [bool(spoken_for(connection, run)) for run in runs] == [True, False, True]
    alone = a_plan(connection)
    runs = [a_run(connection, plan_id=alone, event=FORKS) for _ in range(2)]
    assert [bool(spoken_for(connection, run)) for run in runs] == [True, False]
