"""Of the runs of a commit one speaks: the newest of its plan and kind of event, of those of the repository where it has some."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from tailrace.domain.events import EventKind
from tailrace.store.planning import end_planning
from tailrace.store.spoken import voice_of
from tests.unit.store.world import PUSH, a_job, a_plan, a_planning_run, a_project, a_run

PULL = PUSH.model_copy(update={"kind": EventKind.PULL_REQUEST, "ref": "refs/pull/7/head"})
FORKS = PULL.model_copy(update={"from_fork": True, "ref": "refs/pull/8/head"})


def test_a_newer_run_speaks_for_the_jobs_that_it_has(connection: Connection) -> None:
    """For those that it has not the older one goes on to."""
    plan = a_plan(connection)
    older = a_run(connection, a_job("a"), a_job("b"), plan_id=plan)
    newer = a_run(connection, a_job("b"), a_job("c"), plan_id=plan)
    a_planning_run(connection, plan_id=plan)
    assert voice_of(connection, older).spoken == {"b", "c"}
    assert voice_of(connection, newer).spoken == frozenset()


@pytest.mark.parametrize("update", [{"revision": "b" * 40}, {"revision": None}, {"kind": EventKind.TAG}])
def test_another_commit_or_event_is_another_thing(connection: Connection, update: dict[str, Any]) -> None:
    """And so is another plan."""
    project = a_project(connection)
    plan = a_plan(connection, project)
    run = a_run(connection, plan_id=plan)
    a_run(connection, plan_id=plan, event=PUSH.model_copy(update=update))
    a_run(connection, plan_id=a_plan(connection, project, "other"))
    assert voice_of(connection, run).spoken == frozenset()


def test_the_repository_s_own_speak_before_those_of_forks(connection: Connection) -> None:
    """Whichever came first."""
    plan = a_plan(connection)
    runs = [a_run(connection, plan_id=plan, event=event) for event in (FORKS, PULL, FORKS)]
    assert [bool(voice_of(connection, run).spoken) for run in runs] == [True, False, True]
    alone = a_plan(connection)
    runs = [a_run(connection, plan_id=alone, event=FORKS) for _ in range(2)]
    assert [bool(voice_of(connection, run).spoken) for run in runs] == [True, False]


@pytest.mark.parametrize(("verb", "first"), [("fail", True), ("skip", False)])
def test_whoever_is_planned_after_one_that_could_not_be_says_so(
    connection: Connection, verb: str, first: bool
) -> None:
    """Else what that one said of the plan would stand there for ever."""
    plan = a_plan(connection)
    unplanned = a_planning_run(connection, plan_id=plan)
    end_planning(connection, unplanned, verb, "source_unreachable", "it did not answer")
    later = a_run(connection, plan_id=plan)
    other = a_run(connection, plan_id=plan, event=PUSH.model_copy(update={"revision": "b" * 40}))
    assert voice_of(connection, later).first_planned is first
    assert not voice_of(connection, other).first_planned
    assert not voice_of(connection, unplanned).first_planned
